package org.cnnkeras.demo.ui.state

import java.time.OffsetDateTime
import org.json.JSONObject

/**
 * A benchmark result as the app displays it; a value is null if the phone does not report it.
 *
 * Times are in ms.
 *
 * @property json the row as one line of JSON, to store and to share
 * @property slowdown median latency of the last quarter of the runs, divided by that of the first
 */
data class BenchmarkResult(
    val json: String,
    val time: OffsetDateTime,
    val file: String,
    val numThreads: Int,
    val p50: Double,
    val p90: Double,
    val p99: Double,
    val first: Double,
    val load: Double,
    val runs: Int,
    val slowdown: Double?,
    val batteryPercent: Int?,
    val batteryCelsius: Double?,
    val thermalStatus: String?,
) {
    companion object {
        /**
         * Parses a line that [org.cnnkeras.demo.benchmark.BenchmarkRow.toJson] wrote.
         *
         * @throws org.json.JSONException if the line is not such a row
         */
        fun parse(line: String): BenchmarkResult {
            val row = JSONObject(line)
            val after = row.getJSONObject("state").getJSONObject("after")
            return BenchmarkResult(
                json = line,
                time = OffsetDateTime.parse(row.getString("time")),
                file = row.getString("file"),
                numThreads = row.getInt("num_threads"),
                p50 = row.getDouble("latency_p50_ms"),
                p90 = row.getDouble("latency_p90_ms"),
                p99 = row.getDouble("latency_p99_ms"),
                first = row.getDouble("first_ms"),
                load = row.getDouble("load_ms"),
                runs = row.getInt("num_runs"),
                slowdown = row.optJSONObject("throttling")?.number("ratio"),
                batteryPercent = after.number("battery_percent")?.toInt(),
                batteryCelsius = after.number("battery_celsius"),
                thermalStatus = after.opt("thermal_status") as? String,
            )
        }

        private fun JSONObject.number(key: String): Double? = (opt(key) as? Number)?.toDouble()
    }
}
