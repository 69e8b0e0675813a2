package org.cnnkeras.demo.model

import java.io.File
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/**
 * Damaged files never crash the process. The checks of the app refuse most of them in one sentence,
 * the runtime refuses some, and the rest run.
 *
 * `-Dmutations=20000` sets the number of files, and `-Dmutations.first=200` the first seed.
 */
class MutationTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val first = Integer.getInteger("mutations.first", 0)
    private val count = Integer.getInteger("mutations", 200)

    @Test
    fun damagedFilesAreRefusedOrRun() {
        val passed = (first until first + count).mapNotNull(::passing)
        val outcomes = ChildProcesses(folder.root).run(passed)
        println("$count mutations, ${count - passed.size} refused by the app's checks, then:")
        val counts = outcomes.values.groupingBy { it }.eachCount()
        counts.forEach { (outcome, count) -> println("$count $outcome") }
        val crashes = outcomes.filterValues { it.startsWith("crashed") }
        assertEquals(emptyList<String>(), crashes.map { (file, how) -> "${file.name} $how" })
        assertEquals(passed.toSet(), outcomes.keys)
    }

    /** Shows each kind of crash that mutations have found in LiteRT 2.3 without the checks. */
    @Test
    fun someFilesCrashWithoutTheChecks() {
        val harmful = listOf("no_bias", "no_scale", "no_signature_name")
        val files = (harmful + "float32").map { name ->
            folder.newFile("$name.tflite").apply { writeBytes(ModelFixtures.bytes(name)) }
        }
        val sizes = ModelFixtures.read("float32").run { listOf(input.bytes, output.bytes) }
        val outcomes = ChildProcesses(folder.root, sizes.map(Int::toString)).run(files)
        val crashed = outcomes.filterValues { it.startsWith("crashed") }.keys
        assertEquals("$outcomes", harmful, crashed.map { it.nameWithoutExtension })
        assertEquals("ran", outcomes[files.last()])
    }

    /** Returns the damaged file of a seed; null if the checks of the app refuse it. */
    private fun passing(seed: Int): File? {
        val (name, mutations) = sources[seed % sources.size]
        val (mutation, bytes) = mutations.make(seed.toLong())
        val refused = refusal(bytes)
        if (refused != null) {
            assertTrue(refused, refused.startsWith("'x.tflite' ") && refused.endsWith("."))
            assertTrue(refused, '\n' !in refused)
            return null
        }
        return folder.newFile("${name}_${seed}_$mutation.tflite").apply { writeBytes(bytes) }
    }

    private fun refusal(bytes: ByteArray): String? = try {
        ModelReader.read(ByteBuffer.wrap(bytes), "x.tflite")
        null
    } catch (refusal: ModelException) {
        refusal.message
    }

    private companion object {
        val FIXTURES = listOf("float32", "dynamic_wi8_afp32", "static_wi8_ai8", "uint8", "vision")

        val sources: List<Pair<String, Mutations>> = run {
            val own = File("src/main/assets/models").listFiles { _, name -> ".tflite" in name }
            val files = own!!.sorted().map { it.nameWithoutExtension to it.readBytes() } +
                FIXTURES.map { it to ModelFixtures.bytes(it) }
            files.map { (name, bytes) -> name to Mutations(bytes) }
        }
    }
}
