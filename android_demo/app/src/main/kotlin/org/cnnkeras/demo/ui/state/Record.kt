package org.cnnkeras.demo.ui.state

import java.time.OffsetDateTime
import org.json.JSONObject

/**
 * A benchmark as it is shown, read back from its line; null is what the phone did not tell. Times
 * are in ms.
 *
 * @property line the JSON that is kept and shared
 * @property slowdown median of the last quarter over the first's
 */
data class Record(
    val line: String,
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
         * Reads a line that [org.cnnkeras.demo.benchmark.BenchmarkRow.toJson] wrote.
         *
         * @throws org.json.JSONException if it is another
         */
        fun parse(line: String): Record {
            val row = JSONObject(line)
            val after = row.getJSONObject("state").getJSONObject("after")
            return Record(
                line = line,
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
