package org.cnnkeras.demo.ui.state

import android.annotation.TargetApi
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.media.ExifInterface
import android.os.Build
import java.io.ByteArrayInputStream
import java.io.IOException
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.image.Decoder
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.image.Orientation
import org.cnnkeras.demo.image.Picture
import org.cnnkeras.demo.image.checkSize
import org.cnnkeras.demo.image.isCutOff

/** Decodes whatever Android decodes, with the pixel values that stand in the file. */
class BitmapDecoder : Decoder {
    override fun decode(bytes: ByteArray): Decoded {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(bytes, 0, bytes.size, bounds)
        checkSize(bounds.outWidth, bounds.outHeight)
        if (isCutOff(bytes)) throw ImageException("The image is incomplete: its file is cut off.")
        return Decoded(BitmapPicture(bitmap(bytes)), orientation(bytes))
    }

    private fun bitmap(bytes: ByteArray): Bitmap {
        val options = BitmapFactory.Options().apply {
            inPreferredConfig = Bitmap.Config.ARGB_8888
            inPremultiplied = false
            inMutable = true
        }
        val bitmap = try {
            BitmapFactory.decodeByteArray(bytes, 0, bytes.size, options)
        } catch (_: OutOfMemoryError) {
            throw ImageException("The image is too large for this phone's memory.")
        }
        return bitmap ?: throw ImageException("The image is damaged and cannot be decoded.")
    }

    private fun orientation(bytes: ByteArray): Orientation = try {
        val exif = ExifInterface(ByteArrayInputStream(bytes))
        val normal = ExifInterface.ORIENTATION_NORMAL
        Orientation.ofExif(exif.getAttributeInt(ExifInterface.TAG_ORIENTATION, normal))
    } catch (_: IOException) {
        Orientation.NORMAL
    }
}

/** A bitmap, read row by row. */
class BitmapPicture(private val bitmap: Bitmap) : Picture {
    override val width: Int = bitmap.width
    override val height: Int = bitmap.height

    init {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) keepNumbers()
    }

    override fun readRow(y: Int, into: IntArray) =
        bitmap.getPixels(into, 0, width, 0, y, width, 1)

    /**
     * Makes `getPixels` return the numbers in the file, on which the network was trained; it
     * converts to sRGB what is in another color space. Before Android 10 it cannot be told not to.
     */
    @TargetApi(Build.VERSION_CODES.Q)
    private fun keepNumbers() {
        if (bitmap.isMutable) bitmap.setColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
    }
}
