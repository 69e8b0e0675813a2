package org.cnnkeras.demo.model

import java.io.File
import java.util.concurrent.TimeUnit

/** Runs files in another Java process, which is started again when one of them ends it. */
class ChildProcesses(
    private val folder: File,
    private val arguments: List<String> = emptyList(),
) {
    /** Returns what became of each file; a crash begins with `crashed`. */
    fun run(files: List<File>): Map<File, String> {
        val outcomes = LinkedHashMap<File, String>()
        var left = files
        while (left.isNotEmpty()) {
            val (done, crash) = runOnce(left)
            outcomes += done
            left = left.drop(done.size)
            if (left.isNotEmpty()) {
                outcomes[left.first()] = crash
                left = left.drop(1)
            }
        }
        return outcomes
    }

    /** Returns the outcomes up to a crash, and what the crash was. */
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
        val crash = if (isDone) kind(log) ?: "exit ${child.exitValue()}" else "it hung"
        return outcomes to "crashed: $crash"
    }

    /** The signal and the function in which it came, as Java's report of the crash has them. */
    private fun kind(log: File): String? {
        if (!log.exists()) return null
        val lines = log.readLines()
        val signal = lines.firstOrNull { it.startsWith("#  SIG") }?.split(" ")?.get(2)
        val frame = lines.getOrNull(lines.indexOfFirst { it.startsWith("# Problematic frame") } + 1)
        return "$signal in ${frame?.removePrefix("# ")}"
    }

    private companion object {
        // For all files together: 200 take 3 s.
        const val TIMEOUT_SECONDS = 300L
    }
}
