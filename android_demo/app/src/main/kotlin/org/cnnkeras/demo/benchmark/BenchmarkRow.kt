package org.cnnkeras.demo.benchmark

import java.time.Instant
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import org.cnnkeras.demo.model.ModelFile
import org.json.JSONArray
import org.json.JSONObject

/**
 * One benchmark result in the schema of `export/benchmark/results.py`.
 *
 * Values that an app cannot determine are null, such as the number of delegated operations. The
 * keys `throttling` and `state` are additions for phones.
 *
 * @property time end of the benchmark
 * @property before state of the phone before the benchmark
 * @property after state of the phone after the benchmark
 * @property versions versions of the app and of Android
 */
class BenchmarkRow(
    private val time: Instant,
    private val model: ModelFile,
    private val measurement: Measurement,
    private val device: Device,
    private val before: DeviceState,
    private val after: DeviceState,
    private val versions: Map<String, String>,
) {
    /** Statistics of the latency, in ms. */
    val latency: Summary = Summary.of(measurement.latencyMs)

    /** Null for fewer than four runs. */
    val throttling: Throttling? = Throttling.of(measurement.latencyMs)

    /** Returns the row as one line of a JSONL file, without a line break. */
    fun toJson(): String = row().toString()

    private fun row(): JSONObject = JSONObject()
        .put("time", TIME.format(time.atOffset(ZoneOffset.UTC)))
        .put("file", model.fileName)
        .put("size_bytes", model.sizeBytes)
        .put("sha256", model.sha256)
        .put("dtype", model.weightType)
        .put("activation_dtype", JSONObject.NULL)
        .put("num_threads", measurement.settings.numThreads)
        .put("inputs", measurement.inputs)
        .put("load_ms", measurement.loadMs)
        .put("first_ms", measurement.firstMs)
        .put("latency_p50_ms", latency.p50)
        .put("latency_p90_ms", latency.p90)
        .put("latency_p95_ms", latency.p95)
        .put("latency_p99_ms", latency.p99)
        .put("latency_min_ms", latency.min)
        .put("latency_mean_ms", latency.mean)
        .put("latency_std_ms", latency.std)
        .put("num_runs", measurement.latencyMs.size)
        .put("quantize_p50_ms", orNull(measurement.quantizeMs?.let { percentile(it, 50.0) }))
        .put("copy_in_p50_ms", percentile(measurement.copyInMs, 50.0))
        .put("copy_out_p50_ms", percentile(measurement.copyOutMs, 50.0))
        .put("rss_before_load_mb", orNull(measurement.before?.residentMb))
        .put("peak_rss_mb", orNull(peakMb()))
        .put("nodes", JSONObject.NULL)
        .put("delegated_nodes", JSONObject.NULL)
        .put("partitions", JSONObject.NULL)
        .put("timer_overhead_ns", measurement.timerOverheadNanos)
        .put("threads_used", orNull(measurement.threadsUsed))
        .put("place", PLACE)
        .put("runtime", measurement.runtime.name)
        .put("runtime_version", measurement.runtime.version)
        .put("delegate_used", JSONObject.NULL) // The runtime's Java API does not tell.
        .put("digest", orNull(measurement.digest?.let(::json)))
        .put("untrained", false)
        .put("vs", JSONObject.NULL)
        .put("host", host())
        .put("versions", JSONObject(versions))
        .put("throttling", orNull(throttling?.let(::json)))
        .put("state", JSONObject().put("before", json(before)).put("after", json(after)))

    /**
     * Returns the peak memory up to the end of the first inference, if the model causes it; null
     * if the process had a higher peak before, for example with the camera.
     */
    private fun peakMb(): Double? {
        val earlier = measurement.before?.peakMb ?: return null
        return measurement.afterFirst?.peakMb?.takeIf { it > earlier }
    }

    private fun host(): JSONObject = JSONObject()
        .put("cpu", orNull(device.cpu))
        .put("architecture", orNull(device.architecture))
        .put("cores", device.cores)
        .put("instructions", JSONArray(device.instructions))
        .put("governor", orNull(device.governor))
        .put("load_average", orNull(device.loadAverage))
        .put("memory_mb", orNull(device.memoryMb))
        .put("os", device.os)
        .put("kernel", orNull(device.kernel))
        .put("model", orNull(device.model))

    private fun json(digest: Digest): JSONObject = JSONObject()
        .put("images", digest.images)
        .put("sha256", digest.sha256)
        .put("rule", digest.rule.title)
        .put("equal", digest.equal)
        .put("max_difference", digest.maxDifference)
        .put("agreement", digest.agreement)
        .put("distinct_outputs", digest.distinctOutputs)

    private fun json(throttling: Throttling): JSONObject = JSONObject()
        .put("first_quarter_p50_ms", throttling.firstQuarterP50)
        .put("last_quarter_p50_ms", throttling.lastQuarterP50)
        .put("ratio", orNull(throttling.ratio.takeIf { it.isFinite() }))

    private fun json(state: DeviceState): JSONObject = JSONObject()
        .put("battery_percent", orNull(state.batteryPercent))
        .put("battery_celsius", orNull(state.batteryCelsius))
        .put("charging", orNull(state.charging))
        .put("thermal_status", orNull(state.thermalStatus))

    /** Returns a JSON null for null, because `put` removes a key whose value is Kotlin's null. */
    private fun orNull(value: Any?): Any = value ?: JSONObject.NULL

    private companion object {
        /** `cnn-keras benchmark --adb` replaces it with the serial number of the phone. */
        const val PLACE = "app"

        /** As Python's `isoformat`: `2026-01-31T12:00:00+00:00`. */
        val TIME: DateTimeFormatter = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ssxxx")
    }
}
