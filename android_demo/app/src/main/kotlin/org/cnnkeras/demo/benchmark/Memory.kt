package org.cnnkeras.demo.benchmark

import java.io.File
import java.io.IOException

/**
 * Memory of this process, in MiB.
 *
 * @property residentMb now
 * @property peakMb the most since the process started
 */
data class Memory(val residentMb: Double, val peakMb: Double) {
    companion object {
        /** Reads what Linux says of this process; null where it says nothing. */
        fun now(): Memory? = try {
            parse(File("/proc/self/status").readText())
        } catch (_: IOException) {
            null
        }

        /** Reads the text of `/proc/self/status`; null if it lacks the numbers. */
        fun parse(status: String): Memory? {
            val resident = kibibytes(status, "VmRSS") ?: return null
            val peak = kibibytes(status, "VmHWM") ?: return null
            return Memory(resident / 1024.0, peak / 1024.0)
        }

        private fun kibibytes(status: String, key: String): Long? =
            Regex("^$key:\\s+(\\d+) kB$", RegexOption.MULTILINE)
                .find(status)?.groupValues?.get(1)?.toLong()
    }
}
