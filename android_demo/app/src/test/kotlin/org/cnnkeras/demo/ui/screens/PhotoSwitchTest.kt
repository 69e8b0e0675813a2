package org.cnnkeras.demo.ui.screens

import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Color
import android.net.Uri
import android.view.View
import android.widget.Switch
import java.io.File
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.awaitIdle
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.isVisible
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.stateHolder
import org.cnnkeras.demo.ui.text
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric.buildActivity
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The switch that gives photos the gray levels of the training images. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h640dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhotoSwitchTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun start(image: File? = null): MainActivity {
        val intent = if (image == null) Intent(Intent.ACTION_MAIN) else {
            Intent(Intent.ACTION_SEND).setType("image/*")
                .putExtra(Intent.EXTRA_STREAM, Uri.fromFile(image))
        }
        intent.putExtra(BaseActivity.EXTRA_MODEL, "lenet5_mnist_float32")
        return buildActivity(MainActivity::class.java, intent).setup().get()
    }

    private fun MainActivity.switch(): Switch = requireViewById(R.id.adapt_photos)

    private fun classifiedPixels(): ByteArray =
        awaitState<UiState.Classified>().classification.pixels.values

    /** Returns a three in dark gray ink on gray paper. */
    private fun photo(): File {
        val scan = BitmapFactory.decodeFile("../../tests/fixtures/images/digit_3.png")
        val bitmap = scan.copy(Bitmap.Config.ARGB_8888, true)
        for (y in 0 until bitmap.height) {
            for (x in 0 until bitmap.width) {
                val level = 180 - 80 * Color.red(bitmap.getPixel(x, y)) / 255
                bitmap.setPixel(x, y, Color.rgb(level, level, level))
            }
        }
        return folder.newFile("photo.png").also { file ->
            file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        }
    }

    @Test
    fun switchedOnAPhotoIsRecognized() {
        val screen = start(photo())
        val before = classifiedPixels()
        assertTrue(screen.isVisible(R.id.adapt_photos))
        assertFalse(screen.switch().isChecked)
        assertNotEquals("3", screen.text(R.id.top_label))
        screen.switch().performClick()
        awaitIdle()
        assertEquals("3", screen.text(R.id.top_label))
        assertTrue(classifiedPixels().map { it.toInt() and 0xFF }.toSet().containsAll(setOf(0, 255)))
        RuntimeEnvironment.setQualifiers("+land")
        assertTrue(start().switch().isChecked)
        screen.switch().performClick()
        awaitIdle()
        assertArrayEquals(before, classifiedPixels())
    }

    @Test
    fun drawingsAreNotChanged() {
        start()
        awaitState<UiState.Ready>()
        val drawing = buildActivity(DrawingActivity::class.java).setup().get()
        drawing.requireViewById<View>(R.id.drawing_pad).drawSeven()
        awaitIdle()
        val before = classifiedPixels()
        stateHolder.setAdaptsPhotos(true)
        awaitIdle()
        assertArrayEquals(before, classifiedPixels())
    }
}
