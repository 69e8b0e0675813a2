package org.cnnkeras.demo.model

import java.io.File
import java.util.concurrent.TimeUnit

/** Runs model files in a child process and starts a new one after a crash. */
class ChildProcesses(
    private val folder: File,
    private val arguments: List<String> = emptyList(),
) {
    /** Returns the outcome of each file; that of a crash starts with `crashed`. */
    fun run(files: List<File>): Map<File, String> {
        val outcomes = LinkedHashMap<File, String>()
        var remaining = files
        while (remaining.isNotEmpty()) {
            val (done, crash) = runOnce(remaining)
            outcomes += done
            remaining = remaining.drop(done.size)
            if (remaining.isNotEmpty()) {
                outcomes[remaining.first()] = crash
                remaining = remaining.drop(1)
            }
        }
        return outcomes
    }

    /** Returns the outcomes up to a crash and a description of the crash. */
    private fun runOnce(files: List<File>): Pair<Map<File, String>, String> {
        val log = File(folder, "hs_err.log").apply { delete() }
        val input = File(folder, "files.txt")
        input.writeText(files.joinToString("") { "${it.path}\n" })
        val output = File(folder, "outcomes.txt")
        val child = ProcessBuilder(
            File(System.getProperty("java.home"), "bin/java").path,
            "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=$log",
            "-Dlitert.dir=${System.getProperty("litert.dir")}",
            "-cp", System.getProperty("java.class.path"),
            "org.cnnkeras.demo.model.InferenceChildKt", *arguments.toTypedArray(),
        ).redirectInput(input).redirectOutput(output)
            .redirectError(ProcessBuilder.Redirect.DISCARD).start()
        val isDone = child.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)
        if (!isDone) child.destroyForcibly().waitFor()
        val outcomes = output.readLines()
            .filter { it.startsWith("done ") }
            .map { it.split(" ", limit = 3) }
            .associate { (_, path, outcome) -> File(path) to outcome }
        val crash = if (isDone) crashSite(log) ?: "exit ${child.exitValue()}" else "timeout"
        return outcomes to "crashed: $crash"
    }

    /** Returns the signal and the function of a crash from Java's error log. */
    private fun crashSite(log: File): String? {
        if (!log.exists()) return null
        val lines = log.readLines()
        val signal = lines.firstOrNull { it.startsWith("#  SIG") }?.split(" ")?.get(2)
        val frame = lines.getOrNull(lines.indexOfFirst { it.startsWith("# Problematic frame") } + 1)
        return "$signal in ${frame?.removePrefix("# ")}"
    }

    private companion object {
        // For all files; 200 files take 3 s.
        const val TIMEOUT_SECONDS = 300L
    }
}
