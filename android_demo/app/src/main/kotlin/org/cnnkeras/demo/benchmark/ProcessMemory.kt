package org.cnnkeras.demo.benchmark

import java.io.File
import java.io.IOException

/**
 * Memory of this process, in MiB.
 *
 * @property residentMb current resident set size
 * @property peakMb peak resident set size since the start of the process
 */
data class ProcessMemory(val residentMb: Double, val peakMb: Double) {
    companion object {
        /** Reads the memory of this process; null if the kernel does not report it. */
        fun now(): ProcessMemory? = try {
            parse(File("/proc/self/status").readText())
        } catch (_: IOException) {
            null
        }

        /** Parses the text of `/proc/self/status`; null if it lacks the values. */
        fun parse(status: String): ProcessMemory? {
            val resident = kibibytes(status, "VmRSS") ?: return null
            val peak = kibibytes(status, "VmHWM") ?: return null
            return ProcessMemory(resident / 1024.0, peak / 1024.0)
        }

        private fun kibibytes(status: String, key: String): Long? =
            Regex("^$key:\\s+(\\d+) kB$", RegexOption.MULTILINE)
                .find(status)?.groupValues?.get(1)?.toLong()
    }
}
