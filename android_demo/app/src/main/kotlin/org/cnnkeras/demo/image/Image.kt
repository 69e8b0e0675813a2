package org.cnnkeras.demo.image

/** A decoded image. It is read row by row, so that a large one is never copied as a whole. */
interface Image {
    val width: Int
    val height: Int

    /** Writes row [y] to the start of [into], as ARGB integers that are not premultiplied. */
    fun readRow(y: Int, into: IntArray)
}

/**
 * An image in the size and with the channels of the network input.
 *
 * @property values `(height, width, channels)`, unsigned bytes
 */
class Pixels(val width: Int, val height: Int, val channels: Int, val values: ByteArray)
