package org.cnnkeras.demo.benchmark

import java.io.File
import java.io.IOException

/**
 * Returns the number of threads of this process that have the name of the calling one; null if the
 * kernel does not report it.
 *
 * A native thread inherits the name of the thread that starts it. So the count includes the worker
 * threads of the runtime, and not those of Java and Android.
 */
fun threadsWithThisName(): Int? = try {
    val name = File("/proc/thread-self/comm").readText()
    File("/proc/self/task").list().orEmpty().count { isNamed(it, name) }
} catch (_: IOException) {
    null
}

private fun isNamed(task: String, name: String): Boolean = try {
    File("/proc/self/task/$task/comm").readText() == name
} catch (_: IOException) {
    false // The thread has ended.
}
