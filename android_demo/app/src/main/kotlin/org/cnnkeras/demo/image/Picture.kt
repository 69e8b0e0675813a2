package org.cnnkeras.demo.image

/** A decoded picture that is read row by row, so that a large one is never copied whole. */
interface Picture {
    val width: Int
    val height: Int

    /** Writes row [y] as ARGB integers, colors not multiplied by alpha, to the start of [into]. */
    fun readRow(y: Int, into: IntArray)
}

/**
 * A picture as the network sees it.
 *
 * @property values `(height, width, channels)`, unsigned bytes
 */
class Pixels(val width: Int, val height: Int, val channels: Int, val values: ByteArray)
