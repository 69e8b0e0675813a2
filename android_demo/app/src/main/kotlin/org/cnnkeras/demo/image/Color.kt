package org.cnnkeras.demo.image

/**
 * Converts ARGB pixels to gray or RGB, composited over black.
 *
 * @param argb a row of pixels that are not premultiplied
 * @param start the first column to convert
 * @param end the column after the last one
 * @param channels 1 for gray, 3 for RGB
 * @param into receives `(end - start, channels)` values from 0 to 255
 */
internal fun toChannels(argb: IntArray, start: Int, end: Int, channels: Int, into: IntArray) {
    var at = 0
    for (x in start until end) {
        val pixel = argb[x]
        val alpha = pixel ushr 24
        val red = overBlack(pixel shr 16 and 0xFF, alpha)
        val green = overBlack(pixel shr 8 and 0xFF, alpha)
        val blue = overBlack(pixel and 0xFF, alpha)
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
 * Composites a color over black.
 *
 * Reference: Pillow, `src/libImaging/AlphaComposite.c`, for an opaque black destination. It uses
 * seven additional bits and divides by 255 with shifts.
 */
private fun overBlack(color: Int, alpha: Int): Int {
    if (alpha == 255) return color
    val sum = (color * alpha + 0x80) shl 7
    return ((sum shr 8) + sum) shr 8 shr 7
}

/** Computes ITU-R 601-2 luma in 16 bits, as `L24` in Pillow's `src/libImaging/Convert.c`. */
private fun luma(red: Int, green: Int, blue: Int): Int =
    (red * 19595 + green * 38470 + blue * 7471 + 0x8000) shr 16
