package org.cnnkeras.demo.ui.state

import android.annotation.TargetApi
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.media.ExifInterface
import android.os.Build
import java.io.ByteArrayInputStream
import java.io.IOException
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.image.Image
import org.cnnkeras.demo.image.ImageDecoder
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.image.Orientation
import org.cnnkeras.demo.image.checkImageSize
import org.cnnkeras.demo.image.isTruncated

/** Decodes every format that Android decodes, with the pixel values of the file. */
class BitmapDecoder : ImageDecoder {
    override fun decode(bytes: ByteArray): DecodedImage {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        BitmapFactory.decodeByteArray(bytes, 0, bytes.size, bounds)
        checkImageSize(bounds.outWidth, bounds.outHeight)
        if (isTruncated(bytes)) throw ImageException("The image file is truncated.")
        return DecodedImage(BitmapImage(bitmap(bytes)), orientation(bytes))
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

/** Reads a bitmap row by row. */
class BitmapImage(private val bitmap: Bitmap) : Image {
    override val width: Int = bitmap.width
    override val height: Int = bitmap.height

    init {
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) keepPixelValues()
    }

    override fun readRow(y: Int, into: IntArray) =
        bitmap.getPixels(into, 0, width, 0, y, width, 1)

    /**
     * Makes `getPixels` return the values of the file, as the network's training data has them.
     * Otherwise it converts colors of other color spaces to sRGB. Before Android 10 an app cannot
     * prevent that.
     */
    @TargetApi(Build.VERSION_CODES.Q)
    private fun keepPixelValues() {
        if (bitmap.isMutable) bitmap.setColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
    }
}
