#!/usr/bin/env bash
# Packs the output of `mvn -Papk process-classes` into a signed APK and checks it, without Gradle or
# an Android SDK. The build is reproducible. Usage: pack.sh OUT.apk
set -euo pipefail
cd "$(dirname "$0")"

out=$1
work=target/apk
abis=(arm64-v8a armeabi-v7a x86_64)
export TZ=UTC LC_ALL=C

rm -rf "$work"
mkdir -p "$work/content" "$(dirname "$out")"

echo "dex"
(cd target/classes && find . -name '*.class' | sort | zip -q -X -@ ../apk/classes.zip)
# android-all has no java.* classes, so D8 uses those of the JDK; animal-sniffer checks the APIs.
jdk=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
java -cp target/tools/r8.jar com.android.tools.r8.D8 --debug --min-api 26 \
    --lib target/tools/android-all.jar --lib "$jdk" --output "$work/content" \
    "$work/classes.zip" target/libraries/*.jar

echo "pack"
for abi in "${abis[@]}"; do
    mkdir -p "$work/content/lib/$abi"
    cp "target/aars/tensorflow-lite/jni/$abi/libtensorflowlite_jni.so" "$work/content/lib/$abi/"
done
cp target/resources.ap_ "$work/unaligned.apk"
find "$work/content" -exec touch --date=1980-01-01T00:00:00Z {} +
(cd "$work/content" && find . -type f | sort | zip -q -X -@ ../unaligned.apk)
zipalign -f -p 4 "$work/unaligned.apk" "$work/aligned.apk"
apksigner sign --min-sdk-version 26 --ks debug.keystore --ks-pass pass:android \
    --v1-signing-enabled false --v4-signing-enabled false \
    --out "$work/signed.apk" "$work/aligned.apk"

echo "check"
fail() { echo "pack.sh: $1" >&2; exit 1; }
apksigner verify --min-sdk-version 26 "$work/signed.apk" || fail "the signature is not valid"
zipalign -c -p 4 "$work/signed.apk" || fail "the APK is not aligned"
badging=$(aapt2 dump badging "$work/signed.apk" 2> /dev/null)
for line in "package: name='org.cnnkeras.demo'" "sdkVersion:'26'" "targetSdkVersion:'34'"; do
    grep -q "^$line" <<< "$badging" || fail "the manifest does not contain: $line"
done
# CAMERA is the only permission that the app may request.
others=$(grep '^uses-permission' <<< "$badging" | grep -v "'android.permission.CAMERA'" || true)
[ -z "$others" ] || fail "the manifest requests other permissions: $others"
for dex in "$work"/content/*.dex; do
    dexdump -c "$dex" > /dev/null || fail "$dex is not valid"
    # Android 8.0 does not support invoke-custom; D8 must rewrite all of them.
    ! dexdump -d "$dex" | grep -q invoke-custom || fail "$dex contains an invoke-custom"
done

mv "$work/signed.apk" "$out"
echo "$out: $(stat -c %s "$out") bytes, sha256 $(sha256sum "$out" | cut -d' ' -f1)"
