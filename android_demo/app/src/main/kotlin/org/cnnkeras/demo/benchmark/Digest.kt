package org.cnnkeras.demo.benchmark

import java.security.MessageDigest
import java.util.Locale
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.roundToInt
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.model.TensorSpec

/**
 * How outputs are compared, which depends on how the file computes.
 *
 * @property title the name in JSON
 */
enum class DigestRule(val title: String) {
    /** Integer activations: equal predictions, and outputs within one quantization step. */
    STATIC("static"),

    /** Float activations: outputs within 2e-5 of the largest one. */
    FLOAT("float"),

    /** Activations are quantized for each image: equal predictions for 31 of 32 images. */
    DYNAMIC("dynamic"),
}

/** The file computes something else here; the message is one sentence. */
class DigestException(message: String) : Exception(message)

/**
 * How the outputs of a file in this app compare with those of LiteRT on the computer.
 *
 * @property sha256 hash of the raw outputs in this app
 * @property equal whether the outputs are equal, bit for bit
 * @property maxDifference greatest difference of an output: in quantization steps for
 *     [DigestRule.STATIC], otherwise as a fraction of the largest output
 * @property agreement share of images with the same predicted class
 * @property distinctOutputs number of distinct outputs
 */
data class Digest(
    val images: Int,
    val sha256: String,
    val rule: DigestRule,
    val equal: Boolean,
    val maxDifference: Double,
    val agreement: Double,
    val distinctOutputs: Int,
)

/**
 * The outputs of LiteRT on the computer, with the rules of `export/benchmark/places/digest.py`.
 *
 * @param outputs raw outputs of all images, one after the other
 * @param spec the output of the file
 * @param step real units per quantization step of the output, also if the file dequantizes it
 */
class DigestReference(
    private val outputs: ByteArray,
    private val spec: TensorSpec,
    private val rule: DigestRule,
    private val step: Double,
) {
    /**
     * Compares the outputs in this app with the reference.
     *
     * @param found raw outputs of the same images
     * @throws DigestException if they differ by more than the rule allows
     */
    fun compare(found: ByteArray): Digest {
        if (found.size != outputs.size) {
            throw DigestException("It returns ${found.size} bytes, not ${outputs.size}.")
        }
        val ours = rows(outputs)
        val theirs = rows(found)
        if (ours.all(::isFinite) && !theirs.all(::isFinite)) {
            throw DigestException("It returns NaN or infinity, and finite outputs on the computer.")
        }
        val largest = ours.maxOf { row -> row.maxOf { abs(it) } }.toDouble()
        val unit = when {
            rule == DigestRule.STATIC -> step
            largest == 0.0 -> 1.0
            else -> largest
        }
        val agreeing = ours.indices.count { argmax(ours[it]) == argmax(theirs[it]) }
        val digest = Digest(
            images = ours.size,
            sha256 = sha256(found),
            rule = rule,
            equal = found.contentEquals(outputs),
            maxDifference = ours.indices.maxOf { difference(ours[it], theirs[it]) } / unit,
            agreement = agreeing / ours.size.toDouble(),
            // Adding 0 turns -0.0 into 0.0.
            distinctOutputs = theirs.map { row -> row.map { it + 0f } }.distinct().size,
        )
        reason(digest)?.let { throw DigestException(it) }
        return digest
    }

    /** Returns why a file is refused; null if it is not. */
    private fun reason(digest: Digest): String? {
        val others = ((1 - digest.agreement) * digest.images).roundToInt()
        val otherClasses = "It predicts another class for $others of ${digest.images} images"
        val difference = digest.maxDifference
        return when (rule) {
            DigestRule.FLOAT -> if (difference > MAX_RELATIVE_DIFFERENCE) {
                val formatted = String.format(Locale.ROOT, "%.1e", difference)
                "An output differs by $formatted of the largest one."
            } else null
            DigestRule.DYNAMIC ->
                if (digest.agreement < MIN_AGREEMENT) "$otherClasses." else null
            DigestRule.STATIC -> when {
                others > 0 -> "$otherClasses."
                difference > MAX_STEPS ->
                    "An output differs by ${difference.roundToInt()} quantization steps."
                else -> null
            }
        }
    }

    /** Returns the real values of each output. */
    private fun rows(raw: ByteArray): List<FloatArray> {
        val codec = TensorCodec(spec)
        val buffer = spec.newBuffer()
        return List(raw.size / spec.bytes) { index ->
            buffer.position(0)
            buffer.put(raw, index * spec.bytes, spec.bytes)
            codec.read(buffer)
        }
    }

    private fun isFinite(row: FloatArray): Boolean = row.all { it.isFinite() }

    /** Returns the greatest difference of two rows; ignores NaN. */
    private fun difference(first: FloatArray, second: FloatArray): Double =
        first.indices.fold(0.0) { greatest, index ->
            val difference = abs(second[index].toDouble() - first[index].toDouble())
            if (difference.isNaN()) greatest else max(greatest, difference)
        }

    private fun argmax(row: FloatArray): Int = row.indices.maxBy { row[it] }

    private fun sha256(bytes: ByteArray): String =
        MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    private companion object {
        const val MAX_RELATIVE_DIFFERENCE = 2e-5
        const val MIN_AGREEMENT = 31.0 / 32

        /** One quantization step, but for rounding in float32. */
        const val MAX_STEPS = 1.01
    }
}
