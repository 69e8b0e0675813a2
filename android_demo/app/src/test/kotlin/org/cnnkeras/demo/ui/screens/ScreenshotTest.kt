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
import org.cnnkeras.demo.ui.awaitIdle
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.isVisible
import org.cnnkeras.demo.ui.shareIntent
import org.cnnkeras.demo.ui.state.ContentUriFile
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.stateHolder
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
 * Renders each screen with results of real inference.
 *
 * To save the screenshots, add a folder relative to `app` to the command of `make test-android`:
 * `-Dtest=ScreenshotTest -Dscreenshots=../../docs/android`.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h780dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreenshotTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun main(model: String, intent: Intent = Intent(Intent.ACTION_MAIN)): MainActivity =
        buildActivity(
            MainActivity::class.java,
            intent.putExtra(BaseActivity.EXTRA_MODEL, model),
        ).setup().get()

    private fun classified(): MainActivity {
        val screen = main(FASHION, shareIntent(fixture("images/fashion_boot.png")))
        awaitState<UiState.Classified>()
        assertEquals("Ankle boot", screen.text(R.id.top_label))
        return screen
    }

    /** Renders a screen with the dialog on top of it, if there is one. */
    private fun render(activity: Activity): Bitmap {
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

    private fun save(name: String, activity: Activity, id: Int, text: String) {
        awaitIdle()
        assertTrue("$name has no text", activity.isVisible(id))
        val bitmap = render(activity)
        val colors = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(colors, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        assertTrue("$name is blank", colors.distinct().size > 50)
        System.getProperty("screenshots")?.let { folder ->
            File(folder, "$name.png").apply { parentFile?.mkdirs() }.outputStream().use {
                bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)
            }
        }
        assertEquals(text, activity.text(id))
    }

    @Test
    fun main() {
        val screen = main(LENET)
        awaitState<UiState.Ready>()
        save("main", screen, R.id.empty_title, "Choose an image")
    }

    @Test
    fun models() {
        val screen = main(LENET)
        awaitState<UiState.Ready>()
        screen.requireViewById<View>(R.id.model_chip).performClick()
        save("models", screen, R.id.empty_title, "Choose an image")
    }

    @Test
    fun result() = save("result", classified(), R.id.top_label, "Ankle boot")

    @Test
    @Config(qualifiers = "w360dp-h780dp-night-xhdpi")
    fun dark() = save("dark", classified(), R.id.top_label, "Ankle boot")

    @Test
    @Config(qualifiers = "w780dp-h360dp-land-xhdpi")
    fun landscape() = save("landscape", classified(), R.id.top_label, "Ankle boot")

    @Test
    fun largeText() {
        RuntimeEnvironment.setFontScale(1.6f)
        save("large_text", classified(), R.id.top_label, "Ankle boot")
    }

    @Test
    fun facts() {
        val screen = classified()
        screen.requireViewById<View>(R.id.scroll).apply { scrollTo(0, Int.MAX_VALUE / 2) }
        save("facts", screen, R.id.top_label, "Ankle boot")
    }

    @Test
    fun drawing() {
        main(LENET)
        awaitState<UiState.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        screen.requireViewById<View>(R.id.drawing_pad).drawSeven()
        awaitIdle()
        save("drawing", screen, R.id.top_label, "7")
    }

    @Test
    fun benchmark() {
        main(LENET)
        awaitState<UiState.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        stateHolder.runBenchmark(stateHolder.find(FASHION)!!, 1, 0.2)
        awaitState<UiState.Benchmarked>()
        stateHolder.runBenchmark(stateHolder.find(LENET)!!, 2, 0.5)
        awaitState<UiState.Benchmarked> { it.result.numThreads == 2 }
        await("the history") { screen.isVisible(R.id.history) }
        save("benchmark", screen, R.id.benchmark_title, "$LENET, 2 threads")
    }

    @Test
    fun error() {
        val screen = classified()
        val invalid = folder.newFile("holiday.tflite").apply { writeText("not a model") }
        stateHolder.open(ContentUriFile(screen.contentResolver, Uri.fromFile(invalid)), 1)
        val failed = awaitState<UiState.Failed>()
        save("error", screen, R.id.error_message, failed.message)
    }

    @Test
    fun deniedCamera() {
        main(LENET)
        awaitState<UiState.Ready>()
        val screen = buildActivity(CameraActivity::class.java).setup().pause().resume().get()
        val explanation = screen.getString(R.string.camera_blocked)
        save("camera_denied", screen, R.id.camera_denied_text, explanation)
    }

    private companion object {
        const val LENET = "lenet5_mnist_float32"
        const val FASHION = "resnet20_fashion_mnist_static_wi8_ai8"
    }
}
