package org.cnnkeras.demo.ui.screens

import android.content.Intent
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.NumpyArray
import org.cnnkeras.demo.benchmark.BenchmarkJob
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.await
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.stateHolder
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric.buildActivity
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

private const val STATIC = "lenet5_mnist_static_wi8_ai8"
private const val FLOAT = "lenet5_mnist_float32"

/**
 * Benchmarks that `cnn-keras benchmark --adb` requests, with Python's inputs and outputs.
 *
 * To save the result that the tests of Python read, add a file name relative to `app` to the command
 * of `make test-android`: `-Dtest=BenchmarkJobTest -Dresult=../../tests/fixtures/app_result.json`.
 */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w360dp-h640dp-xhdpi")
class BenchmarkJobTest {
    private val external: File
        get() = RuntimeEnvironment.getApplication().getExternalFilesDir(null)!!

    @Test
    fun jobIsCheckedAndTimed() {
        val folder = job(STATIC, "static")
        start(folder.name)
        val shown = awaitState<UiState.Benchmarked>().result
        assertNull("Only the network of the job is loaded", stateHolder.state.settled.openModel)
        val row = result(folder).getJSONObject("row")
        assertEquals(shown.json, row.toString())
        assertEquals("$STATIC.tflite", row.getString("file"))
        assertEquals("validation", row.getString("inputs"))
        assertEquals(2, row.getInt("num_threads"))
        assertEquals(2, row.getInt("threads_used"))
        assertEquals("app", row.getString("place"))
        val digest = row.getJSONObject("digest")
        assertEquals(1.0, digest.getDouble("agreement"), 0.0)
        assertTrue(digest.getInt("distinct_outputs") > 1)
        assertEquals(
            File(folder, BenchmarkJob.EXPECTED).length(),
            File(folder, BenchmarkJob.OUTPUTS).length(),
        )
        assertTrue(File(external, "benchmarks.jsonl").readText().contains(row.toString()))
        System.getProperty("result")?.let { path ->
            File(path).writeText(result(folder).toString(1) + "\n")
        }
    }

    /** The stand-in of a phone in the tests of Python answers with the stored result. */
    @Test
    fun storedResultHasTheKeysOfThisOne() {
        val folder = job(STATIC, "static")
        start(folder.name)
        awaitState<UiState.Benchmarked>()
        assertEquals(keys(Fixtures.json("app_result.json")), keys(result(folder)))
    }

    @Test
    fun floatFileIsCheckedByItsOwnRule() {
        val folder = job(FLOAT, "float")
        start(folder.name)
        awaitState<UiState.Benchmarked>()
        assertEquals(
            "float",
            result(folder).getJSONObject("row").getJSONObject("digest").getString("rule"),
        )
    }

    @Test
    fun fileWithOtherOutputsIsNotTimed() {
        val folder = job(STATIC, "static")
        File(folder, BenchmarkJob.EXPECTED).writeBytes(
            bytes(Fixtures.expected(STATIC).getValue("output")).also { it.reverse(0, 40) },
        )
        start(folder.name)
        val failed = awaitState<UiState.Failed>()
        assertEquals(failed.message, result(folder).getString("error"))
        assertFalse(result(folder).has("row"))
        assertFalse(File(external, "benchmarks.jsonl").exists())
        assertTrue(File(folder, BenchmarkJob.OUTPUTS).exists())
    }

    @Test
    fun damagedFileAndSettingsAreReported() {
        val damaged = job(STATIC, "static", "damaged")
        File(damaged, "$STATIC.tflite").writeBytes(ByteArray(100))
        start(damaged.name)
        awaitState<UiState.Failed>()
        assertTrue("is not a TFLite file" in result(damaged).getString("error"))
        val empty = File(external, "empty").apply { mkdirs() }
        start(empty.name)
        await("the result") { File(empty, BenchmarkJob.RESULT).exists() }
        assertTrue("has no job.json" in result(empty).getString("error"))
        val newer = job(STATIC, "bitwise", "newer")
        start(newer.name)
        await("the result") { File(newer, BenchmarkJob.RESULT).exists() }
        assertTrue("update the app" in result(newer).getString("error"))
    }

    @Test
    fun stoppedJobIsReported() {
        val folder = job(STATIC, "static", minSecs = 60.0)
        val screen = start(folder.name)
        await("runs") { (stateHolder.state as? UiState.Benchmarking)?.progress != null }
        screen.pause().stop() // as when another app comes to the front
        await("the result") { File(folder, BenchmarkJob.RESULT).exists() }
        assertTrue("stopped" in result(folder).getString("error"))
    }

    @Test
    fun onlyFoldersOfTheAppAreJobs() {
        for (name in listOf("missing", "..", "../files", "/", "")) {
            start(name)
            assertTrue(awaitState<UiState.Failed>().message.startsWith("The app has no folder"))
        }
    }

    @Test
    fun pushedModelIsFoundByNameAndPath() {
        val pushed = File(external, "pushed.tflite")
        File("src/main/assets/models/$STATIC.tflite").copyTo(pushed)
        File(external, "other.tflite").writeBytes(ByteArray(10))
        for (name in listOf("pushed", "pushed.tflite", pushed.path)) {
            assertEquals("pushed.tflite", stateHolder.find(name)?.fileName)
        }
        for (path in listOf("/elsewhere/pushed.tflite", pushed.parent!!, "../pushed.tflite")) {
            assertNull(path, stateHolder.find(path))
        }
        val intent = Intent().putExtra(BaseActivity.EXTRA_MODEL, pushed.path)
            .putExtra(BenchmarkActivity.EXTRA_SECONDS, 0.1f)
        buildActivity(BenchmarkActivity::class.java, intent).setup()
        val result = awaitState<UiState.Benchmarked>().result
        assertEquals("pushed.tflite", result.file)
        assertEquals("random", JSONObject(result.json).getString("inputs"))
        stateHolder.remove(stateHolder.find("pushed")!!, 1)
        assertFalse(pushed.exists())
    }

    private fun start(name: String): ActivityController<BenchmarkActivity> = buildActivity(
        BenchmarkActivity::class.java,
        Intent().putExtra(BenchmarkActivity.EXTRA_JOB, name),
    ).setup()

    /** Writes a job as `export/benchmark/places/android/app.py` does. */
    private fun job(
        model: String,
        rule: String,
        name: String = "job",
        minSecs: Double = 0.05,
    ): File {
        val folder = File(external, name).apply { mkdirs() }
        File("src/main/assets/models/$model.tflite").copyTo(File(folder, "$model.tflite"))
        val arrays = Fixtures.expected(model)
        File(folder, BenchmarkJob.INPUTS).writeBytes(bytes(arrays.getValue("tensor")))
        File(folder, BenchmarkJob.EXPECTED).writeBytes(bytes(arrays.getValue("output")))
        val settings = JSONObject()
            .put("file", "$model.tflite")
            .put("inputs", "validation")
            .put("num_threads", 2)
            .put("warmup_secs", 0.02)
            .put("num_runs", 30)
            .put("min_secs", minSecs)
            .put("max_secs", 100.0)
            .put("rule", rule)
            .put("step", 1 / 256.0)
        File(folder, BenchmarkJob.SETTINGS).writeText(settings.toString())
        return folder
    }

    /** Returns an array of floats as bytes. */
    private fun bytes(array: NumpyArray): ByteArray {
        val values = List(array.shape[0], array::floats).flatMap { it.toList() }
        val buffer = ByteBuffer.allocate(4 * values.size).order(ByteOrder.LITTLE_ENDIAN)
        values.forEach(buffer::putFloat)
        return buffer.array()
    }

    private fun result(folder: File) = JSONObject(File(folder, BenchmarkJob.RESULT).readText())

    /** Returns the keys of an object and of the objects in it. */
    private fun keys(json: JSONObject): List<String> = json.keys().asSequence().toList()
        .flatMap { key ->
            listOf(key) + (json.optJSONObject(key)?.let(::keys).orEmpty().map { "$key.$it" })
        }
}
