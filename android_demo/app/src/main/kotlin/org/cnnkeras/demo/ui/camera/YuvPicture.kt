package org.cnnkeras.demo.ui.camera

import java.nio.ByteBuffer
import org.cnnkeras.demo.image.Picture

/** One of the three planes of a camera's image: bytes, and how far apart they are. */
class Plane(val bytes: ByteArray, val rowStride: Int, val pixelStride: Int) {
    /** The value at a column and row of the plane, from 0 to 255. */
    fun at(x: Int, y: Int): Int = bytes[y * rowStride + x * pixelStride].toInt() and 0xFF

    companion object {
        /** Copies a plane, which the camera soon writes again. */
        fun copy(buffer: ByteBuffer, rowStride: Int, pixelStride: Int): Plane {
            val bytes = ByteArray(buffer.remaining())
            buffer.duplicate().get(bytes)
            return Plane(bytes, rowStride, pixelStride)
        }
    }
}

/**
 * A camera's image in `YUV_420_888`: gray for each pixel, two colors for each square of four.
 *
 * The colors are those of JFIF: ITU-R BT.601's, all of 0 to 255 used, as `ImageFormat.YUV_420_888`
 * states for images without another data space.
 */
class YuvPicture(
    override val width: Int,
    override val height: Int,
    private val luma: Plane,
    private val blue: Plane,
    private val red: Plane,
) : Picture {
    override fun readRow(y: Int, into: IntArray) {
        for (x in 0 until width) {
            val gray = luma.at(x, y).toFloat()
            val u = blue.at(x / 2, y / 2) - 128
            val v = red.at(x / 2, y / 2) - 128
            val r = byte(gray + 1.402f * v)
            val g = byte(gray - 0.344136f * u - 0.714136f * v)
            val b = byte(gray + 1.772f * u)
            into[x] = (0xFF shl 24) or (r shl 16) or (g shl 8) or b
        }
    }

    private fun byte(value: Float): Int = (value + 0.5f).toInt().coerceIn(0, 255)
}
