package org.cnnkeras.demo.image

/** Decodes image files. */
fun interface ImageDecoder {
    /**
     * Decodes a whole file: PNG, JPEG, WebP or another format that the system supports.
     *
     * @throws ImageException if the file is not an image, is truncated or is too large
     */
    fun decode(bytes: ByteArray): DecodedImage
}

/**
 * An image as it is stored, and its orientation.
 *
 * @property isDrawing whether the app has rendered it in the style of the training images
 */
class DecodedImage(
    val image: Image,
    val orientation: Orientation = Orientation.NORMAL,
    val isDrawing: Boolean = false,
)

/** An image cannot be used; the message is one sentence for the user. */
class ImageException(message: String) : Exception(message)

/**
 * The largest number of pixels that the app decodes. They take 256 MiB, and some phones give an app
 * no more memory than that.
 */
const val MAX_PIXELS = 64L * 1024 * 1024

/**
 * Checks the size of an image before it is decoded.
 *
 * @throws ImageException if the size is not positive or exceeds [MAX_PIXELS]
 */
fun checkImageSize(width: Int, height: Int) {
    if (width < 1 || height < 1) throw ImageException("This is not an image that can be read.")
    if (width.toLong() * height > MAX_PIXELS) {
        throw ImageException(
            "The image is too large: $width × $height pixels; " +
                "the app decodes up to ${MAX_PIXELS / 1_000_000} million.",
        )
    }
}
