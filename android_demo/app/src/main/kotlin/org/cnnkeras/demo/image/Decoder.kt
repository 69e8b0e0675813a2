package org.cnnkeras.demo.image

/** Makes a picture of a file's bytes. */
fun interface Decoder {
    /**
     * Decodes a whole file: PNG, JPEG, WebP, or whatever else the system reads.
     *
     * @throws ImageException if it is none, cut off or too large
     */
    fun decode(bytes: ByteArray): Decoded
}

/** A picture as it is stored, and how it is to be turned before it is shown. */
class Decoded(val picture: Picture, val orientation: Orientation = Orientation.NORMAL)

/** What is wrong with a picture, in one sentence that a user can read. */
class ImageException(message: String) : Exception(message)

/**
 * More pixels than this, 256 MiB of them, are refused before they are decoded: some phones have no
 * more memory than that for all of an app.
 */
const val MAX_PIXELS = 64L * 1024 * 1024

/**
 * Refuses sizes that no picture has, or for which a phone has not the memory.
 *
 * @throws ImageException if the size is such a one
 */
fun checkSize(width: Int, height: Int) {
    if (width < 1 || height < 1) throw ImageException("This is not an image that can be read.")
    if (width.toLong() * height > MAX_PIXELS) {
        throw ImageException(
            "The image is too large: $width × $height pixels, where " +
                "${MAX_PIXELS / 1_000_000} million are the most.",
        )
    }
}
