package org.cnnkeras.demo.image

/**
 * Writes pixels as a network's channels: laid on black where transparent, then RGB or gray.
 *
 * @param argb a row of pixels, colors not multiplied by alpha
 * @param start the first that is wanted
 * @param end one behind the last
 * @param channels 1 for gray, 3 for RGB
 * @param into `(end - start, channels)`, values from 0 to 255
 */
internal fun toChannels(argb: IntArray, start: Int, end: Int, channels: Int, into: IntArray) {
    var at = 0
    for (x in start until end) {
        val pixel = argb[x]
        val alpha = pixel ushr 24
        val red = onBlack(pixel shr 16 and 0xFF, alpha)
        val green = onBlack(pixel shr 8 and 0xFF, alpha)
        val blue = onBlack(pixel and 0xFF, alpha)
        if (channels == 1) {
            into[at++] = luma(red, green, blue)
        } else {
            into[at++] = red
            into[at++] = green
            into[at++] = blue
        }
    }
}

/**
 * A color seen through its alpha on black.
 *
 * Reference: Pillow, `src/libImaging/AlphaComposite.c`, for an opaque black destination: seven more
 * bits, and a division by 255 in shifts.
 */
private fun onBlack(color: Int, alpha: Int): Int {
    if (alpha == 255) return color
    val sum = (color * alpha + 0x80) shl 7
    return ((sum shr 8) + sum) shr 8 shr 7
}

/** ITU-R 601-2 luma in 16 bits, as Pillow's `L24` in `src/libImaging/Convert.c`. */
private fun luma(red: Int, green: Int, blue: Int): Int =
    (red * 19595 + green * 38470 + blue * 7471 + 0x8000) shr 16
