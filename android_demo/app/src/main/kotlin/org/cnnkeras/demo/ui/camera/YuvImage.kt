package org.cnnkeras.demo.ui.camera

import java.nio.ByteBuffer
import org.cnnkeras.demo.image.Image

/** One of the three planes of a camera image; strides are in bytes. */
class Plane(val bytes: ByteArray, val rowStride: Int, val pixelStride: Int) {
    /** Returns the value at a column and a row of the plane, from 0 to 255. */
    fun at(x: Int, y: Int): Int = bytes[y * rowStride + x * pixelStride].toInt() and 0xFF

    companion object {
        /** Copies a plane, because the camera reuses its buffer. */
        fun copy(buffer: ByteBuffer, rowStride: Int, pixelStride: Int): Plane {
            val bytes = ByteArray(buffer.remaining())
            buffer.duplicate().get(bytes)
            return Plane(bytes, rowStride, pixelStride)
        }
    }
}

/**
 * A camera image in `YUV_420_888`: luma for each pixel, chroma for each block of 2 × 2 pixels.
 *
 * The colors are those of JFIF: ITU-R BT.601 in full range, which `ImageFormat.YUV_420_888`
 * documents as the default data space.
 */
class YuvImage(
    override val width: Int,
    override val height: Int,
    private val luma: Plane,
    private val blue: Plane,
    private val red: Plane,
) : Image {
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
