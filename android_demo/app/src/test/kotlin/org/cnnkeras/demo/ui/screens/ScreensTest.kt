package org.cnnkeras.demo.ui.screens

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.content.res.Configuration
import android.net.Uri
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.RadioGroup
import android.widget.TextView
import java.io.File
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.DIGITS
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.await
import org.cnnkeras.demo.ui.awaitIdle
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.draw
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.isVisible
import org.cnnkeras.demo.ui.shareIntent
import org.cnnkeras.demo.ui.state.ModelEntry
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.stateHolder
import org.cnnkeras.demo.ui.text
import org.cnnkeras.demo.ui.views.DrawingView
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.Robolectric.buildActivity
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowLog

private const val MODEL = "lenet5_mnist_float32"
private const val FASHION = "resnet20_fashion_mnist_static_wi8_ai8"
private const val CIFAR10 = "resnet20_cifar10_static_wi8_ai8"

/** The screens of the app with real models, real images and real inference. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h640dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreensTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun main(
        intent: Intent = Intent(Intent.ACTION_MAIN),
    ): ActivityController<MainActivity> =
        buildActivity(
            MainActivity::class.java,
            intent.putExtra(BaseActivity.EXTRA_MODEL, MODEL),
        ).setup()

    private fun open(name: String) {
        stateHolder.open(stateHolder.find(name)!!, 1)
        awaitState<UiState.Settled> { it.openModel?.entry == stateHolder.find(name) }
    }

    private fun startWithImage(path: String) = main(shareIntent(fixture(path)))

    private fun startWithModel(file: File) = main(
        Intent(Intent.ACTION_VIEW).setDataAndType(Uri.fromFile(file), "application/octet-stream"),
    )

    private fun file(name: String, bytes: ByteArray): File =
        folder.newFile(name).apply { writeBytes(bytes) }

    @Test
    fun startScreenHasAnOpenModel() {
        val screen = main().get()
        awaitState<UiState.Ready>()
        assertEquals(stateHolder.state.settled.openModel!!.model.name, screen.text(R.id.model_name))
        assertEquals("Choose an image", screen.text(R.id.empty_title))
        assertTrue(screen.isVisible(R.id.open_drawing))
        assertFalse(screen.isVisible(R.id.error_banner))
    }

    @Test
    fun modelCardShowsTheFile() {
        val screen = main().get()
        awaitState<UiState.Ready>()
        val facts = screen.requireViewById<ViewGroup>(R.id.facts)
        val values = (0 until facts.childCount).map { row ->
            facts.getChildAt(row).run {
                listOf(R.id.label, R.id.value).map { requireViewById<TextView>(it).text }
            }
        }.associate { (label, value) -> label.toString() to value.toString() }
        assertEquals("$MODEL.tflite", screen.text(R.id.file_name))
        assertEquals("float32", values["Weights"])
        assertEquals("252 kB", values["Size"])
        assertTrue(values["Input"]!!, values["Input"]!!.startsWith("float32, "))
        assertEquals("float32, 10 classes", values["Output"])
    }

    @Test
    fun sharedImageIsClassified() {
        val screen = startWithImage("images/digit_7.png").get()
        awaitState<UiState.Classified>()
        assertEquals("7", screen.text(R.id.top_label))
        assertEquals(5, screen.requireViewById<ViewGroup>(R.id.scores).childCount)
        assertEquals(7, screen.requireViewById<ViewGroup>(R.id.stage_rows).childCount)
        assertTrue(screen.isVisible(R.id.stage_times))
        assertFalse(screen.isVisible(R.id.empty))
    }

    @Test
    fun anotherModelClassifiesTheSameImage() {
        startWithImage("images/digit_7.png")
        val before = awaitState<UiState.Classified>()
        open(FASHION)
        val after = awaitState<UiState.Classified> { it.openModel != before.openModel }
        assertSame(before.source, after.source)
        assertEquals(28, after.classification.pixels.width)
    }

    @Test
    fun aModelOfColorImagesClassifiesAPhoto() {
        val screen = startWithImage("photos/cat.jpg").get()
        val before = awaitState<UiState.Classified>()
        open(CIFAR10)
        awaitState<UiState.Classified> { it.openModel != before.openModel }
        assertEquals("cat", screen.text(R.id.top_label))
    }

    @Test
    fun changeOfThreadsKeepsTheImage() {
        val screen = startWithImage("images/digit_7.png").get()
        awaitState<UiState.Classified>()
        screen.requireViewById<RadioGroup>(R.id.threads).getChildAt(2).performClick()
        awaitState<UiState.Classified> { it.openModel.numThreads == 4 }
        assertEquals("7", screen.text(R.id.top_label))
    }

    @Test
    fun rotationKeepsTheResult() {
        val controller = startWithImage("images/digit_7.png")
        val before = awaitState<UiState.Classified>()
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        controller.visible()
        assertEquals("7", controller.get().text(R.id.top_label))
        assertSame(before, stateHolder.state)
        assertNotNull(controller.get().findViewById(R.id.scroll_second_column))
        assertEquals(
            Configuration.ORIENTATION_LANDSCAPE,
            controller.get().resources.configuration.orientation,
        )
    }

    @Test
    fun invalidFileIsReportedAndThePreviousModelStays() {
        startWithImage("images/digit_7.png")
        val before = awaitState<UiState.Classified>()
        val invalid = file("holiday.tflite", "not a model".toByteArray())
        val screen = startWithModel(invalid).get()
        val failed = awaitState<UiState.Failed>()
        assertEquals(failed.message, screen.text(R.id.error_message))
        assertTrue(failed.message, failed.message.startsWith("'holiday.tflite' "))
        assertFalse(failed.message, failed.message.contains('\n'))
        assertTrue(screen.isVisible(R.id.error_banner))
        assertSame(before, failed.settled)
        assertEquals("7", screen.text(R.id.top_label))
        assertNull(stateHolder.find("holiday"))
    }

    @Test
    fun dismissedErrorRestoresThePreviousState() {
        val screen = startWithModel(file("empty.tflite", ByteArray(0))).get()
        val failed = awaitState<UiState.Failed>()
        screen.requireViewById<View>(R.id.dismiss).performClick()
        assertSame(failed.settled, stateHolder.state)
        assertFalse(screen.isVisible(R.id.error_banner))
    }

    @Test
    fun missingFileIsReported() {
        startWithModel(File(folder.root, "gone.tflite"))
        val failed = awaitState<UiState.Failed>()
        assertTrue(failed.message, failed.message.startsWith("The file cannot be read"))
    }

    @Test
    fun invalidImageIsReported() {
        startWithImage("images.json")
        val failed = awaitState<UiState.Failed>()
        assertNotNull(failed.settled.openModel)
        assertFalse(failed.message, failed.message.contains('\n'))
    }

    @Test
    fun openedModelIsListedAndCanBeRemoved() {
        val bytes = File("src/main/assets/models/$MODEL.tflite").readBytes()
        val screen = startWithModel(file("my digits.tflite", bytes)).get()
        awaitState<UiState.Settled> { it.openModel?.entry == ModelEntry("my digits.tflite", false) }
        assertEquals(stateHolder.entries().last(), stateHolder.find("my digits"))
        screen.requireViewById<View>(R.id.remove_model).performClick()
        awaitState<UiState.Settled> { it.openModel?.entry?.builtIn == true }
        assertNull(stateHolder.find("my digits"))
    }

    @Test
    fun networkIsClosedWithTheLastScreen() {
        val controller = main()
        awaitState<UiState.Ready>()
        controller.get().finish()
        controller.destroy()
        awaitState<UiState.Closed>()
    }

    @Test
    fun drawnSevenIsRecognized() {
        for (name in listOf(MODEL, "lenet5_mnist_static_wi8_ai8")) {
            main()
            open(name)
            val screen = buildActivity(DrawingActivity::class.java).setup().get()
            screen.requireViewById<View>(R.id.drawing_pad).drawSeven()
            awaitIdle()
            assertEquals(name, "7", screen.text(R.id.top_label))
        }
    }

    @Test
    fun allDrawnDigitsAreRecognized() {
        main()
        awaitState<UiState.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        val recognized = DIGITS.mapValues { (_, strokes) ->
            screen.requireViewById<View>(R.id.clear).performClick()
            for (stroke in strokes) {
                screen.requireViewById<View>(R.id.drawing_pad).draw(*stroke.toTypedArray())
            }
            awaitIdle()
            screen.text(R.id.top_label)
        }
        assertEquals(DIGITS.keys.associateWith { it }, recognized)
    }

    @Test
    fun undoRemovesStrokes() {
        main()
        awaitState<UiState.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        screen.requireViewById<View>(R.id.drawing_pad).drawSeven()
        awaitIdle()
        // The line and the bar of the seven.
        repeat(2) { screen.requireViewById<View>(R.id.undo).performClick() }
        awaitState<UiState.Ready>()
        assertFalse(screen.isVisible(R.id.result))
        assertFalse(screen.requireViewById<View>(R.id.clear).isEnabled)
    }

    @Test
    fun rotationKeepsTheDrawing() {
        main()
        awaitState<UiState.Ready>()
        val controller = buildActivity(DrawingActivity::class.java).setup()
        controller.get().requireViewById<View>(R.id.drawing_pad).drawSeven()
        val before = controller.get().requireViewById<DrawingView>(R.id.drawing_pad).strokes
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        val pad = controller.get().requireViewById<DrawingView>(R.id.drawing_pad)
        assertEquals(before, pad.strokes)
    }

    @Test
    fun deniedCameraIsExplained() {
        main()
        awaitState<UiState.Ready>()
        val controller = buildActivity(CameraActivity::class.java).setup()
        val request = shadowOf(controller.get()).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.CAMERA), request.requestedPermissions.toList())
        controller.get().onRequestPermissionsResult(
            request.requestCode,
            request.requestedPermissions,
            intArrayOf(PackageManager.PERMISSION_DENIED),
        )
        controller.pause().resume() // as after the dialog of the system
        val screen = controller.get()
        assertTrue(screen.isVisible(R.id.camera_denied))
        assertFalse(screen.isVisible(R.id.viewfinder))
        val explanation = screen.text(R.id.camera_denied_text)
        assertEquals(screen.getString(R.string.camera_blocked), explanation)
        screen.requireViewById<Button>(R.id.allow_camera).performClick()
        val started = shadowOf(screen).nextStartedActivity
        assertEquals("package:org.cnnkeras.demo", started.dataString)
    }

    @Test
    fun missingCameraIsReported() {
        main()
        awaitState<UiState.Ready>()
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA)
        val screen = buildActivity(CameraActivity::class.java).setup().get()
        awaitState<UiState.Failed>()
        assertEquals(screen.getString(R.string.camera_missing), screen.text(R.id.error_message))
    }

    @Test
    fun sharedImageWithoutAModelReportsTheReason() {
        val models = File(RuntimeEnvironment.getApplication().filesDir, "models").apply { mkdirs() }
        File(models, "broken.tflite").writeBytes(ByteArray(100))
        val intent = shareIntent(fixture("images/digit_7.png"))
            .putExtra(BaseActivity.EXTRA_MODEL, "broken")
        val screen = buildActivity(MainActivity::class.java, intent).setup().get()
        awaitIdle()
        val message = screen.text(R.id.error_message)
        assertTrue(message, message.startsWith("'broken.tflite' is not a TFLite file"))
    }

    @Test
    fun everyStateIsRendered() {
        val screen = startWithImage("images/digit_7.png").get()
        val classified = awaitState<UiState.Classified>()
        val open = classified.openModel
        val titles = mapOf(
            UiState.Closed to "No model is open",
            UiState.Ready(open) to open.model.name,
            classified to open.model.name,
            UiState.Opening("x.tflite", classified) to "Opening x.tflite …",
            UiState.Opening(null, UiState.Closed) to "Opening the file …",
            UiState.Classifying(UiState.Ready(open)) to open.model.name,
            UiState.Benchmarking(null, classified) to open.model.name,
            UiState.Failed("No.", UiState.Closed) to "No model is open",
        )
        for ((state, title) in titles) {
            screen.render(state)
            assertEquals("$state", title, screen.text(R.id.model_name))
            val isClassified = state.settled is UiState.Classified
            val isOpen = state.settled.openModel != null
            assertEquals("$state", isClassified, screen.isVisible(R.id.result))
            assertEquals("$state", isOpen, screen.isVisible(R.id.model_card))
        }
        screen.render(UiState.Classifying(UiState.Ready(open)))
        assertEquals("Classifying …", screen.text(R.id.empty_title))
    }

    @Test
    fun intentRunsABenchmarkAndStoresTheRow() {
        val intent = Intent().putExtra(BaseActivity.EXTRA_MODEL, "lenet5_mnist_static_wi8_ai8")
            .putExtra(BaseActivity.EXTRA_THREADS, 2)
            .putExtra(BenchmarkActivity.EXTRA_SECONDS, 0.2f)
        val screen = buildActivity(BenchmarkActivity::class.java, intent).setup().get()
        awaitState<UiState.Benchmarked>()
        val application = RuntimeEnvironment.getApplication()
        val lines = listOf(application.filesDir, application.getExternalFilesDir(null)!!)
            .map { File(it, "benchmarks.jsonl").readLines().single() }
        assertEquals(lines[0], lines[1])
        val row = JSONObject(lines[0])
        assertEquals("lenet5_mnist_static_wi8_ai8.tflite", row.getString("file"))
        assertEquals(2, row.getInt("num_threads"))
        assertTrue(row.getInt("num_runs") >= 50)
        assertTrue(row.getDouble("latency_p50_ms") <= row.getDouble("latency_p99_ms"))
        assertTrue(ShadowLog.getLogsForTag("cnn-keras").any { it.msg == lines[0] })
        await("the history") { screen.isVisible(R.id.history) }
        assertTrue(screen.isVisible(R.id.benchmark_result))
    }

    @Test
    fun unknownModelInAnIntentIsReported() {
        val intent = Intent().putExtra(BaseActivity.EXTRA_MODEL, "lenet6")
        val screen = buildActivity(BenchmarkActivity::class.java, intent).setup().get()
        val failed = awaitState<UiState.Failed>()
        assertTrue(failed.message, "'lenet6'" in failed.message && MODEL in failed.message)
        assertTrue(screen.isVisible(R.id.error_banner))
        assertTrue(ShadowLog.getLogsForTag("cnn-keras").any { it.msg == failed.message })
    }

    @Test
    fun runningBenchmarkCanBeStopped() {
        main()
        awaitState<UiState.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        stateHolder.runBenchmark(stateHolder.find(MODEL)!!, 1, 60.0)
        await("runs") { (stateHolder.state as? UiState.Benchmarking)?.progress != null }
        assertEquals("Stop", screen.text(R.id.run))
        screen.requireViewById<View>(R.id.run).performClick()
        awaitState<UiState.Ready>()
        assertFalse(File(screen.filesDir, "benchmarks.jsonl").exists())
    }

    @Test
    fun storedRowIsShared() {
        main()
        awaitState<UiState.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        stateHolder.runBenchmark(stateHolder.find(MODEL)!!, 1, 0.1)
        val result = awaitState<UiState.Benchmarked>().result
        screen.requireViewById<View>(R.id.share).performClick()
        val chooser = shadowOf(screen).nextStartedActivity
        @Suppress("DEPRECATION")
        val sent = chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals(Intent.ACTION_SEND, sent.action)
        assertEquals(result.json, sent.getStringExtra(Intent.EXTRA_TEXT))
    }
}
