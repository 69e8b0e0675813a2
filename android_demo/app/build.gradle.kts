import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "org.cnnkeras.demo"
    compileSdk = 34

    defaultConfig {
        applicationId = "org.cnnkeras.demo"
        minSdk = 26
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
    }

    signingConfigs {
        // The key of `make apk`, so that each build can replace the other on a phone.
        getByName("debug") {
            storeFile = rootProject.file("debug.keystore")
            storePassword = "android"
            keyAlias = "androiddebugkey"
            keyPassword = "android"
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    androidResources {
        // Uncompressed assets can be mapped into memory.
        noCompress += "tflite"
    }

    testOptions.unitTests {
        isIncludeAndroidResources = true
        all {
            // The folder of libLiteRt.so, see `make test-android`.
            it.systemProperty("litert.dir", providers.gradleProperty("litert.dir").getOrElse(""))
        }
    }
}

kotlin {
    compilerOptions.jvmTarget = JvmTarget.JVM_1_8
}

dependencies {
    implementation(libs.litert)
    implementation(libs.nanojson)

    testImplementation(libs.tensorflow.lite.metadata)
    testImplementation(libs.junit)
    testImplementation(libs.jna)
    testImplementation(libs.robolectric)
}
