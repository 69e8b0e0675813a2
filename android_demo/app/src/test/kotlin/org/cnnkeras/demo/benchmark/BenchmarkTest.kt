package org.cnnkeras.demo.benchmark

import java.time.Instant
import java.util.concurrent.CancellationException
import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.ModelFacts
import org.cnnkeras.demo.engine.HostEngineFactory
import org.cnnkeras.demo.engine.InferenceRuntime
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.ModelReader
import org.cnnkeras.demo.strings
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** Benchmarks real networks in LiteRT; does not assert a latency. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
class BenchmarkTest {
    private val settings =
        BenchmarkSettings(numThreads = 2, warmupSecs = 0.02, minRuns = 30, minSecs = 0.05)

    @Test
    fun reachesMinRunsAndMinSecs() {
        val model = model("lenet5_mnist_float32")
        assertTrue(measure(model).latencyMs.size >= 30)
        val long = settings.copy(minSecs = 0.3)
        val start = System.nanoTime()
        val runs = Benchmark(model, HostEngineFactory(), long).run().latencyMs
        assertTrue(System.nanoTime() - start >= 0.3e9)
        assertTrue(runs.all { it >= 0 })
    }

    @Test
    fun stopsAfterMaxSecs() {
        val endless = settings.copy(minRuns = Int.MAX_VALUE / 4, maxSecs = 0.1)
        val runs = Benchmark(model("lenet5_mnist_float32"), HostEngineFactory(), endless).run()
        assertTrue(runs.latencyMs.size < endless.minRuns)
    }

    @Test
    fun onlyIntegerInputsAreQuantized() {
        assertNull(measure(model("lenet5_mnist_float32")).quantizeMs)
        assertNotNull(measure(model("lenet5_int8")).quantizeMs)
    }

    @Test
    fun progressIncreasesToOne() {
        val reports = mutableListOf<BenchmarkProgress>()
        val long = settings.copy(minSecs = 0.4)
        Benchmark(model("lenet5_mnist_float32"), HostEngineFactory(), long).run { reports += it }
        assertTrue(reports.size >= 3)
        assertEquals(reports.sortedBy { it.fraction }, reports)
        assertEquals(1.0, reports.last().fraction, 0.0)
    }

    @Test
    fun canBeCancelled() {
        val endless = settings.copy(minSecs = 1e6, maxSecs = 1e6)
        var calls = 0
        assertThrows(CancellationException::class.java) {
            Benchmark(model("lenet5_mnist_float32"), HostEngineFactory(), endless)
                .run(isCancelled = { ++calls > 100 })
        }
    }

    @Test
    fun rowHasTheKeysOfTheCommandInOrder() {
        val row = JSONObject(row().toJson())
        val expected = Fixtures.json("record_keys.json")
        assertEquals(
            expected.getJSONArray("row").strings() + APP_KEYS,
            row.keys().asSequence().toList(),
        )
        assertEquals(
            expected.getJSONArray("host").strings() + "model",
            row.getJSONObject("host").keys().asSequence().toList(),
        )
    }

    @Test
    fun rowIsOneLineWithValuesAndNulls() {
        val text = row().toJson()
        assertFalse(text.contains('\n'))
        val row = JSONObject(text)
        assertEquals("2026-01-31T12:00:05+00:00", row.getString("time"))
        assertEquals("lenet5_mnist_float32.tflite", row.getString("file"))
        assertEquals(2, row.getInt("num_threads"))
        assertEquals(30, row.getInt("num_runs").coerceAtMost(30))
        assertTrue(row.getDouble("latency_p50_ms") <= row.getDouble("latency_p99_ms"))
        for (key in listOf("nodes", "delegated_nodes", "partitions", "quantize_p50_ms", "vs")) {
            assertTrue(key, row.isNull(key))
        }
        val after = row.getJSONObject("state").getJSONObject("after")
        assertEquals("light", after.getString("thermal_status"))
        assertTrue(after.isNull("battery_celsius"))
    }

    @Test
    fun imagesAreCheckedAndThenTimed() {
        val model = model("lenet5_int8")
        val tensors = List(3) { index ->
            model.input.newBuffer().also { buffer ->
                for (at in 0 until buffer.capacity()) buffer.put(at, (at * (index + 1)).toByte())
            }
        }
        var outputs = ByteArray(0)
        val images = BenchmarkImages("validation", tensors) {
            outputs = it
            DigestReference(it, model.output, DigestRule.STATIC, 1.0).compare(it)
        }
        val measured = Benchmark(model, HostEngineFactory(), settings, images).run()
        assertEquals("validation", measured.inputs)
        assertEquals(3 * model.output.bytes, outputs.size)
        assertTrue(measured.digest!!.equal)
        assertEquals(2, measured.threadsUsed)
        assertEquals(InferenceRuntime("LiteRT", "2.3.0"), measured.runtime)
        HostEngineFactory().open(model.bytes, 1).use { engine ->
            val output = model.output.newBuffer()
            engine.run(tensors[2], output)
            val expected = ByteArray(output.capacity()).also { output.rewind().get(it) }
            assertTrue(outputs.takeLast(expected.size) == expected.toList())
        }
    }

    @Test
    fun refusedOutputsAreNotTimed() {
        val model = model("lenet5_mnist_float32")
        val images = BenchmarkImages("random", listOf(model.input.newBuffer())) {
            throw DigestException("No.")
        }
        val reports = mutableListOf<BenchmarkProgress>()
        assertThrows(DigestException::class.java) {
            Benchmark(model, HostEngineFactory(), settings, images).run { reports += it }
        }
        assertTrue(reports.isEmpty())
    }

    private fun measure(model: ModelFile) = Benchmark(model, HostEngineFactory(), settings).run()

    private fun row(): BenchmarkRow {
        val model = model("lenet5_mnist_float32")
        return BenchmarkRow(
            time = Instant.parse("2026-01-31T12:00:05.7Z"),
            model = model,
            measurement = measure(model),
            device = Device(
                cpu = "Test",
                architecture = "aarch64",
                cores = 8,
                instructions = listOf("NEON", "dotprod"),
                governor = null,
                loadAverage = null,
                memoryMb = 8192,
                os = "Android 14",
                kernel = null,
                model = null,
            ),
            before = DeviceState(80, 25.0, charging = false, thermalStatus = "none"),
            after = DeviceState(79, null, charging = false, thermalStatus = "light"),
            versions = mapOf("app" to "1.0"),
        )
    }

    private fun model(name: String): ModelFile {
        val facts: ModelFacts = Fixtures.models.single { it.name == name }
        return ModelReader.read(Fixtures.model(facts), facts.file)
    }

    private companion object {
        val APP_KEYS = listOf("throttling", "state")
    }
}
