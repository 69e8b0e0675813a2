package org.cnnkeras.demo.model

import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/**
 * Files that are damaged in every way end in one sentence, never in a crash: of the app's checks
 * for most, of the runtime for some, and what is left runs.
 *
 * `-Dmutations=5000` tries more of them.
 */
class MutationTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val count = Integer.getInteger("mutations", 200)

    @Test
    fun damagedFilesAreRefusedInOneSentenceOrRun() {
        val passed = (0 until count).mapNotNull { seed -> passing(seed) }
        val outcomes = Children(folder.root).run(passed)
        report(outcomes)
        val crashes = outcomes.filterValues { it.startsWith("crashed") }
        assertEquals(emptyMap<File, String>(), crashes)
        assertEquals(passed.toSet(), outcomes.keys)
    }

    /** Returns the file that a seed makes if the app's own checks let it pass. */
    private fun passing(seed: Int): File? {
        val (name, mutations) = sources[seed % sources.size]
        val (mutation, bytes) = mutations.make(seed.toLong())
        try {
            ModelReader.read(ByteBuffer.wrap(bytes), "x.tflite")
        } catch (refusal: ModelException) {
            val message = refusal.message!!
            assertTrue(message, message.startsWith("'x.tflite' ") && message.endsWith("."))
            assertTrue(message, '\n' !in message)
            return null
        }
        return folder.newFile("${name}_${seed}_$mutation.tflite").apply { writeBytes(bytes) }
    }

    private fun report(outcomes: Map<File, String>) {
        println("$count mutations, ${count - outcomes.size} refused before native code; of the rest:")
        outcomes.values.groupingBy { it }.eachCount().forEach { (what, n) -> println("$n $what") }
        outcomes.filterValues { it.startsWith("crashed") }
            .forEach { (file, what) -> println("${file.name}: $what") }
    }

    private companion object {
        val FIXTURES = listOf("float32", "dynamic_wi8_afp32", "static_wi8_ai8", "uint8", "vision")

        val sources: List<Pair<String, Mutations>> = run {
            val own = File("src/main/assets/models").listFiles { file -> file.extension == "tflite" }
            val files = own!!.sorted().map { it.nameWithoutExtension to it.readBytes() } +
                FIXTURES.map { it to ModelFixtures.bytes(it) }
            files.map { (name, bytes) -> name to Mutations(bytes) }
        }
    }
}

/** Runs files in another Java process, which is started again when one of them ends it. */
private class Children(private val folder: File) {
    fun run(files: List<File>): Map<File, String> {
        val outcomes = LinkedHashMap<File, String>()
        var left = files
        while (left.isNotEmpty()) {
            val (done, exit) = runOnce(left)
            outcomes += done
            left = left.drop(done.size)
            if (exit != null && left.isNotEmpty()) {
                outcomes[left.first()] = exit
                left = left.drop(1)
            }
        }
        return outcomes
    }

    /** Returns the outcomes up to a crash, and what the crash was; null if there was none. */
    private fun runOnce(files: List<File>): Pair<Map<File, String>, String?> {
        val log = File(folder, "hs_err.log").apply { delete() }
        val child = ProcessBuilder(
            File(System.getProperty("java.home"), "bin/java").path,
            "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=$log", "-Dlitert.dir=${System.getProperty("litert.dir")}",
            "-cp", System.getProperty("java.class.path"),
            "org.cnnkeras.demo.model.InferenceChildKt",
        ).redirectError(ProcessBuilder.Redirect.DISCARD).start()
        val watch = Thread {
            if (!child.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) child.destroyForcibly()
        }.apply { isDaemon = true }
        watch.start()
        child.outputStream.bufferedWriter().use { out -> files.forEach { out.appendLine(it.path) } }
        val outcomes = child.inputStream.bufferedReader().lineSequence()
            .filter { it.startsWith("done ") }
            .map { it.split(" ", limit = 3) }
            .associate { (_, path, outcome) -> File(path) to outcome }
        val code = child.waitFor()
        return outcomes to if (code == 0) null else "crashed: ${kind(log) ?: "exit $code"}"
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
        const val TIMEOUT_SECONDS = 300L
    }
}
