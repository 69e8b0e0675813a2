package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.net.Uri
import android.view.View
import java.io.File
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.await
import org.cnnkeras.demo.ui.awaitRest
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.isVisible
import org.cnnkeras.demo.ui.shared
import org.cnnkeras.demo.ui.state.ContentSource
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.store
import org.cnnkeras.demo.ui.text
import org.junit.Assert.assertEquals
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
import org.robolectric.shadows.ShadowDialog

/**
 * Draws each screen as a phone would, from real inference.
 *
 * The pictures are kept where a folder is named, seen from the module's:
 * `mvn test -Dtest=PicturesTest -Dpictures=../../docs/android`.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h780dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PicturesTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun main(model: String, intent: Intent = Intent(Intent.ACTION_MAIN)): MainActivity =
        buildActivity(MainActivity::class.java, intent.putExtra(Screen.MODEL, model)).setup().get()

    private fun result(): MainActivity {
        val screen = main(FASHION, shared(fixture("images/fashion_boot.png")))
        awaitState<State.Classified>()
        assertEquals("Ankle boot", screen.text(R.id.answer_label))
        return screen
    }

    /** A screen, and a dialog above it as the system shows it. */
    private fun draw(activity: Activity): Bitmap {
        val screen = activity.window.decorView
        val bitmap = Bitmap.createBitmap(screen.width, screen.height, Bitmap.Config.ARGB_8888)
        val canvas = Canvas(bitmap)
        screen.draw(canvas)
        val dialog = ShadowDialog.getLatestDialog()?.takeIf { it.isShowing } ?: return bitmap
        val window = dialog.window!!.decorView
        canvas.drawColor(Color.argb(0.6f, 0f, 0f, 0f))
        canvas.translate((screen.width - window.width) / 2f, (screen.height - window.height) / 2f)
        window.draw(canvas)
        return bitmap
    }

    private fun keep(name: String, activity: Activity, id: Int, text: String) {
        awaitRest()
        assertTrue("$name lacks its text", activity.isVisible(id))
        val bitmap = draw(activity)
        val colors = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(colors, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        assertTrue("$name is blank", colors.distinct().size > 50)
        System.getProperty("pictures")?.let { folder ->
            File(folder, "$name.png").apply { parentFile?.mkdirs() }.outputStream().use {
                bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)
            }
        }
        assertEquals(text, activity.text(id))
    }

    @Test
    fun main() {
        val screen = main(LENET)
        awaitState<State.Ready>()
        keep("main", screen, R.id.empty_title, "Show it an image")
    }

    @Test
    fun models() {
        val screen = main(LENET)
        awaitState<State.Ready>()
        screen.requireViewById<View>(R.id.model_chip).performClick()
        keep("models", screen, R.id.empty_title, "Show it an image")
    }

    @Test
    fun aResult() = keep("result", result(), R.id.answer_label, "Ankle boot")

    @Test
    @Config(qualifiers = "w360dp-h780dp-night-xhdpi")
    fun dark() = keep("dark", result(), R.id.answer_label, "Ankle boot")

    @Test
    @Config(qualifiers = "w780dp-h360dp-land-xhdpi")
    fun landscape() = keep("landscape", result(), R.id.answer_label, "Ankle boot")

    @Test
    fun largeText() {
        RuntimeEnvironment.setFontScale(1.6f)
        keep("large_text", result(), R.id.answer_label, "Ankle boot")
    }

    @Test
    fun facts() {
        val screen = result()
        screen.requireViewById<View>(R.id.scroll).apply { scrollTo(0, Int.MAX_VALUE / 2) }
        keep("facts", screen, R.id.answer_label, "Ankle boot")
    }

    @Test
    fun drawing() {
        main(LENET)
        awaitState<State.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        screen.requireViewById<View>(R.id.pad).drawSeven()
        awaitRest()
        keep("drawing", screen, R.id.answer_label, "7")
    }

    @Test
    fun benchmark() {
        main(LENET)
        awaitState<State.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        store.measure(store.find(FASHION)!!, 1, 0.2)
        awaitState<State.Measured>()
        store.measure(store.find(LENET)!!, 2, 0.5)
        awaitState<State.Measured> { it.record.numThreads == 2 }
        await("the list") { screen.isVisible(R.id.earlier) }
        keep("benchmark", screen, R.id.measured_title, "$LENET, 2 threads")
    }

    @Test
    fun error() {
        val screen = result()
        val wrong = folder.newFile("holiday.tflite").apply { writeText("not a model") }
        store.open(ContentSource(screen.contentResolver, Uri.fromFile(wrong)), 1)
        val failed = awaitState<State.Failed>()
        keep("error", screen, R.id.problem, failed.problem)
    }

    @Test
    fun aDeniedCamera() {
        main(LENET)
        awaitState<State.Ready>()
        val screen = buildActivity(CameraActivity::class.java).setup().pause().resume().get()
        keep("camera_denied", screen, R.id.denied_text, screen.getString(R.string.camera_blocked))
    }

    private companion object {
        const val LENET = "lenet5_digits_float32"
        const val FASHION = "resnet20_fashion_mnist_static_wi8_ai8"
    }
}
