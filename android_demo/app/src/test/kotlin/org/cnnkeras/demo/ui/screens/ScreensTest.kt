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
import org.cnnkeras.demo.ui.awaitRest
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.draw
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.isVisible
import org.cnnkeras.demo.ui.shared
import org.cnnkeras.demo.ui.state.ModelEntry
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.store
import org.cnnkeras.demo.ui.text
import org.cnnkeras.demo.ui.views.SketchView
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

private const val MODEL = "lenet5_digits_float32"
private const val FASHION = "resnet20_fashion_mnist_static_wi8_ai8"

/** The app's screens with real models, real images and real inference. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h640dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ScreensTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun main(
        intent: Intent = Intent(Intent.ACTION_MAIN),
    ): ActivityController<MainActivity> =
        buildActivity(MainActivity::class.java, intent.putExtra(Screen.MODEL, MODEL)).setup()

    private fun open(name: String) {
        store.open(store.find(name)!!, 1)
        awaitState<State.Settled> { it.open?.entry == store.find(name) }
    }

    private fun sent(path: String) = main(shared(fixture(path)))

    private fun viewed(file: File) = main(
        Intent(Intent.ACTION_VIEW).setDataAndType(Uri.fromFile(file), "application/octet-stream"),
    )

    private fun file(name: String, bytes: ByteArray): File =
        folder.newFile(name).apply { writeBytes(bytes) }

    @Test
    fun aModelIsOpenAtTheStart() {
        val screen = main().get()
        awaitState<State.Ready>()
        assertEquals(store.state.settled.open!!.model.name, screen.text(R.id.model_name))
        assertEquals("Show it an image", screen.text(R.id.empty_title))
        assertTrue(screen.isVisible(R.id.draw))
        assertFalse(screen.isVisible(R.id.banner))
    }

    @Test
    fun factsAreTheFiles() {
        val screen = main().get()
        awaitState<State.Ready>()
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
    fun aSharedImageIsClassified() {
        val screen = sent("images/digit_7.png").get()
        awaitState<State.Classified>()
        assertEquals("7", screen.text(R.id.answer_label))
        assertEquals(5, screen.requireViewById<ViewGroup>(R.id.scores).childCount)
        assertEquals(7, screen.requireViewById<ViewGroup>(R.id.stage_rows).childCount)
        assertTrue(screen.isVisible(R.id.times))
        assertFalse(screen.isVisible(R.id.empty))
    }

    @Test
    fun anotherModelSeesTheSameImage() {
        sent("images/digit_7.png")
        val before = awaitState<State.Classified>()
        open(FASHION)
        val after = awaitState<State.Classified> { it.open != before.open }
        assertSame(before.scene, after.scene)
        assertEquals(28, after.classification.pixels.width)
    }

    @Test
    fun otherThreadsSeeTheSameImage() {
        val screen = sent("images/digit_7.png").get()
        awaitState<State.Classified>()
        screen.requireViewById<RadioGroup>(R.id.threads).getChildAt(2).performClick()
        awaitState<State.Classified> { it.open.numThreads == 4 }
        assertEquals("7", screen.text(R.id.answer_label))
    }

    @Test
    fun rotationKeepsTheResult() {
        val controller = sent("images/digit_7.png")
        val before = awaitState<State.Classified>()
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        controller.visible()
        assertEquals("7", controller.get().text(R.id.answer_label))
        assertSame(before, store.state)
        assertNotNull(controller.get().findViewById(R.id.scroll_beside))
        assertEquals(
            Configuration.ORIENTATION_LANDSCAPE,
            controller.get().resources.configuration.orientation,
        )
    }

    @Test
    fun aWrongFileIsExplainedAndTheModelBeforeStays() {
        sent("images/digit_7.png")
        val before = awaitState<State.Classified>()
        val wrong = file("holiday.tflite", "not a model".toByteArray())
        val screen = viewed(wrong).get()
        val failed = awaitState<State.Failed>()
        assertEquals(failed.problem, screen.text(R.id.problem))
        assertTrue(failed.problem, failed.problem.startsWith("'holiday.tflite' "))
        assertFalse(failed.problem, failed.problem.contains('\n'))
        assertTrue(screen.isVisible(R.id.banner))
        assertSame(before, failed.settled)
        assertEquals("7", screen.text(R.id.answer_label))
        assertNull(store.find("holiday"))
    }

    @Test
    fun dismissingAProblemLeavesWhatWasBefore() {
        val screen = viewed(file("empty.tflite", ByteArray(0))).get()
        val failed = awaitState<State.Failed>()
        screen.requireViewById<View>(R.id.dismiss).performClick()
        assertSame(failed.settled, store.state)
        assertFalse(screen.isVisible(R.id.banner))
    }

    @Test
    fun aFileThatIsGoneIsExplained() {
        viewed(File(folder.root, "gone.tflite"))
        val failed = awaitState<State.Failed>()
        assertTrue(failed.problem, failed.problem.startsWith("The file cannot be read"))
    }

    @Test
    fun anImageThatIsNoneIsExplained() {
        sent("images.json")
        val failed = awaitState<State.Failed>()
        assertNotNull(failed.settled.open)
        assertFalse(failed.problem, failed.problem.contains('\n'))
    }

    @Test
    fun anOpenedModelIsKeptAndCanBeRemoved() {
        val bytes = File("src/main/assets/models/$MODEL.tflite").readBytes()
        val screen = viewed(file("my digits.tflite", bytes)).get()
        awaitState<State.Settled> { it.open?.entry == ModelEntry("my digits.tflite", false) }
        assertEquals(store.entries().last(), store.find("my digits"))
        screen.requireViewById<View>(R.id.remove).performClick()
        awaitState<State.Settled> { it.open?.entry?.builtIn == true }
        assertNull(store.find("my digits"))
    }

    @Test
    fun theNetworkGoesWithTheLastScreen() {
        val controller = main()
        awaitState<State.Ready>()
        controller.get().finish()
        controller.destroy()
        awaitState<State.Closed>()
    }

    @Test
    fun aDrawnSevenIsASeven() {
        for (name in listOf(MODEL, "lenet5_digits_static_wi8_ai8")) {
            main()
            open(name)
            val screen = buildActivity(DrawingActivity::class.java).setup().get()
            screen.requireViewById<View>(R.id.pad).drawSeven()
            awaitRest()
            assertEquals(name, "7", screen.text(R.id.answer_label))
        }
    }

    @Test
    fun allDrawnDigitsAreWhatTheyAre() {
        main()
        awaitState<State.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        val seen = DIGITS.mapValues { (_, strokes) ->
            screen.requireViewById<View>(R.id.clear).performClick()
            for (stroke in strokes) {
                screen.requireViewById<View>(R.id.pad).draw(*stroke.toTypedArray())
            }
            awaitRest()
            screen.text(R.id.answer_label)
        }
        assertEquals(DIGITS.keys.associateWith { it }, seen)
    }

    @Test
    fun undoneStrokesAreForgotten() {
        main()
        awaitState<State.Ready>()
        val screen = buildActivity(DrawingActivity::class.java).setup().get()
        screen.requireViewById<View>(R.id.pad).drawSeven()
        awaitRest()
        repeat(2) { screen.requireViewById<View>(R.id.undo).performClick() } // its line and its bar
        awaitState<State.Ready>()
        assertFalse(screen.isVisible(R.id.result))
        assertFalse(screen.requireViewById<View>(R.id.clear).isEnabled)
    }

    @Test
    fun rotationKeepsTheDrawing() {
        main()
        awaitState<State.Ready>()
        val controller = buildActivity(DrawingActivity::class.java).setup()
        controller.get().requireViewById<View>(R.id.pad).drawSeven()
        val before = controller.get().requireViewById<SketchView>(R.id.pad).strokes
        RuntimeEnvironment.setQualifiers("+land")
        controller.configurationChange()
        assertEquals(before, controller.get().requireViewById<SketchView>(R.id.pad).strokes)
    }

    @Test
    fun aDeniedCameraIsExplained() {
        main()
        awaitState<State.Ready>()
        val controller = buildActivity(CameraActivity::class.java).setup()
        val asked = shadowOf(controller.get()).lastRequestedPermission
        assertEquals(listOf(Manifest.permission.CAMERA), asked.requestedPermissions.toList())
        controller.get().onRequestPermissionsResult(
            asked.requestCode,
            asked.requestedPermissions,
            intArrayOf(PackageManager.PERMISSION_DENIED),
        )
        controller.pause().resume() // as after the system's dialog
        val screen = controller.get()
        assertTrue(screen.isVisible(R.id.denied))
        assertFalse(screen.isVisible(R.id.viewfinder))
        assertEquals(screen.getString(R.string.camera_blocked), screen.text(R.id.denied_text))
        screen.requireViewById<Button>(R.id.allow).performClick()
        val started = shadowOf(screen).nextStartedActivity
        assertEquals("package:org.cnnkeras.demo", started.dataString)
    }

    @Test
    fun aPhoneWithoutCameraIsExplained() {
        main()
        awaitState<State.Ready>()
        shadowOf(RuntimeEnvironment.getApplication()).grantPermissions(Manifest.permission.CAMERA)
        val screen = buildActivity(CameraActivity::class.java).setup().get()
        awaitState<State.Failed>()
        assertEquals(screen.getString(R.string.camera_missing), screen.text(R.id.problem))
    }

    @Test
    fun aSharedImageWithoutAModelSaysWhyThereIsNone() {
        val models = File(RuntimeEnvironment.getApplication().filesDir, "models").apply { mkdirs() }
        File(models, "broken.tflite").writeBytes(ByteArray(100))
        val intent = shared(fixture("images/digit_7.png")).putExtra(Screen.MODEL, "broken")
        val screen = buildActivity(MainActivity::class.java, intent).setup().get()
        awaitRest()
        val problem = screen.text(R.id.problem)
        assertTrue(problem, problem.startsWith("'broken.tflite' is not a TFLite file"))
    }

    @Test
    fun eachStateIsDrawn() {
        val screen = sent("images/digit_7.png").get()
        val classified = awaitState<State.Classified>()
        val open = classified.open
        val drawn = mapOf(
            State.Closed to "No model is open",
            State.Ready(open) to open.model.name,
            classified to open.model.name,
            State.Opening("x.tflite", classified) to "Opening x.tflite …",
            State.Opening(null, State.Closed) to "Opening the file …",
            State.Classifying(State.Ready(open)) to open.model.name,
            State.Measuring(null, classified) to open.model.name,
            State.Failed("No.", State.Closed) to "No model is open",
        )
        for ((state, title) in drawn) {
            screen.render(state)
            assertEquals("$state", title, screen.text(R.id.model_name))
            assertEquals("$state", state.settled is State.Classified, screen.isVisible(R.id.result))
            assertEquals("$state", state.settled.open != null, screen.isVisible(R.id.model_card))
        }
        screen.render(State.Classifying(State.Ready(open)))
        assertEquals("Classifying …", screen.text(R.id.empty_title))
    }

    @Test
    fun aCommandMeasuresAndKeepsTheRow() {
        val command = Intent().putExtra(Screen.MODEL, "lenet5_digits_static_wi8_ai8")
            .putExtra(Screen.THREADS, 2)
            .putExtra(BenchmarkActivity.SECONDS, 0.2f)
        val screen = buildActivity(BenchmarkActivity::class.java, command).setup().get()
        awaitState<State.Measured>()
        val application = RuntimeEnvironment.getApplication()
        val lines = listOf(application.filesDir, application.getExternalFilesDir(null)!!)
            .map { File(it, "benchmarks.jsonl").readLines().single() }
        assertEquals(lines[0], lines[1])
        val row = JSONObject(lines[0])
        assertEquals("lenet5_digits_static_wi8_ai8.tflite", row.getString("file"))
        assertEquals(2, row.getInt("num_threads"))
        assertTrue(row.getInt("num_runs") >= 50)
        assertTrue(row.getDouble("latency_p50_ms") <= row.getDouble("latency_p99_ms"))
        assertTrue(ShadowLog.getLogsForTag("cnn-keras").any { it.msg == lines[0] })
        await("the list") { screen.isVisible(R.id.earlier) }
        assertTrue(screen.isVisible(R.id.measured))
    }

    @Test
    fun aCommandForNoModelIsExplained() {
        val command = Intent().putExtra(Screen.MODEL, "lenet6")
        val screen = buildActivity(BenchmarkActivity::class.java, command).setup().get()
        val failed = awaitState<State.Failed>()
        assertTrue(failed.problem, "'lenet6'" in failed.problem && MODEL in failed.problem)
        assertTrue(screen.isVisible(R.id.banner))
        assertTrue(ShadowLog.getLogsForTag("cnn-keras").any { it.msg == failed.problem })
    }

    @Test
    fun aRunningBenchmarkCanBeStopped() {
        main()
        awaitState<State.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        store.measure(store.find(MODEL)!!, 1, 60.0)
        await("runs") { (store.state as? State.Measuring)?.progress != null }
        assertEquals("Stop", screen.text(R.id.run))
        screen.requireViewById<View>(R.id.run).performClick()
        awaitState<State.Ready>()
        assertFalse(File(screen.filesDir, "benchmarks.jsonl").exists())
    }

    @Test
    fun aRowIsSharedAsItWasKept() {
        main()
        awaitState<State.Ready>()
        val screen = buildActivity(BenchmarkActivity::class.java).setup().get()
        store.measure(store.find(MODEL)!!, 1, 0.1)
        val record = awaitState<State.Measured>().record
        screen.requireViewById<View>(R.id.share).performClick()
        val chooser = shadowOf(screen).nextStartedActivity
        @Suppress("DEPRECATION")
        val sent = chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals(Intent.ACTION_SEND, sent.action)
        assertEquals(record.line, sent.getStringExtra(Intent.EXTRA_TEXT))
    }
}
