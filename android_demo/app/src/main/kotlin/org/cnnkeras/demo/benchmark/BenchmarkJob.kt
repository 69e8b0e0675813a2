package org.cnnkeras.demo.benchmark

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import org.cnnkeras.demo.model.ModelFile
import org.json.JSONException
import org.json.JSONObject

/** The folder of a job is not valid; the message is one sentence. */
class JobException(message: String) : Exception(message)

/**
 * A benchmark that `cnn-keras benchmark --adb` requests, in a folder of these files:
 *
 * - `job.json`: the settings;
 * - the model;
 * - `inputs.bin`: raw input tensors of the images, one after the other;
 * - `expected.bin`: the raw outputs of LiteRT on the computer.
 *
 * The app adds the empty file `started`, then `outputs.bin`, its own raw outputs, and at last
 * `result.json`: an object with the `row`, or with the `error` that ended the job.
 *
 * @throws JobException if the folder does not contain such a job
 */
class BenchmarkJob(private val folder: File) {
    private val json = try {
        JSONObject(File(folder, SETTINGS).readText())
    } catch (_: IOException) {
        throw JobException("The folder ${folder.path} has no $SETTINGS.")
    } catch (error: JSONException) {
        throw JobException("$SETTINGS is not valid: ${error.message}.")
    }

    /** The model. */
    val model: File = File(folder, File(read { getString("file") }).name)

    val settings: BenchmarkSettings = read {
        BenchmarkSettings(
            numThreads = getInt("num_threads"),
            warmupSecs = getDouble("warmup_secs"),
            minRuns = getInt("num_runs"),
            minSecs = getDouble("min_secs"),
            maxSecs = getDouble("max_secs"),
        )
    }

    private val kind: String = read { getString("inputs") }
    private val step: Double = read { getDouble("step") }
    private val rule: DigestRule = read { getString("rule") }.let { title ->
        DigestRule.entries.firstOrNull { it.title == title }
            ?: throw JobException("The app does not know the rule '$title'; update the app.")
    }

    /**
     * Returns the images, and the outputs that are expected of them.
     *
     * @throws JobException if their sizes do not fit the model
     */
    fun images(model: ModelFile): BenchmarkImages {
        val inputs = bytes(INPUTS)
        val expected = bytes(EXPECTED)
        val count = inputs.size / model.input.bytes
        if (count == 0 || inputs.size % model.input.bytes != 0) {
            throw JobException("$INPUTS has ${inputs.size} bytes; an image has ${model.input.bytes}.")
        }
        if (expected.size != count * model.output.bytes) {
            throw JobException("$EXPECTED does not have the outputs of $count images.")
        }
        val tensors: List<ByteBuffer> = List(count) { index ->
            model.input.newBuffer().put(inputs, index * model.input.bytes, model.input.bytes)
        }
        return BenchmarkImages(kind, tensors) { outputs ->
            File(folder, OUTPUTS).writeBytes(outputs)
            DigestReference(expected, model.output, rule, step).compare(outputs)
        }
    }

    private fun bytes(name: String): ByteArray = try {
        File(folder, name).readBytes()
    } catch (_: IOException) {
        throw JobException("The folder ${folder.path} has no $name.")
    }

    private fun <T> read(value: JSONObject.() -> T): T = try {
        json.value()
    } catch (error: JSONException) {
        throw JobException("$SETTINGS is not valid: ${error.message}.")
    }

    companion object {
        const val SETTINGS = "job.json"
        const val INPUTS = "inputs.bin"
        const val EXPECTED = "expected.bin"
        const val STARTED = "started"
        const val OUTPUTS = "outputs.bin"
        const val RESULT = "result.json"

        /** Shows that the app has received the job in a folder. */
        fun start(folder: File) = File(folder, STARTED).writeText("")

        /** Ends the job in a folder with its row, one line of JSON. */
        fun succeed(folder: File, row: String) = end(folder, JSONObject().put("row", JSONObject(row)))

        /** Ends the job in a folder with an error, one sentence. */
        fun fail(folder: File, message: String) = end(folder, JSONObject().put("error", message))

        /** Renames the file, so that a reader never sees a part of it. */
        private fun end(folder: File, result: JSONObject) {
            val part = File(folder, "$RESULT.part")
            part.writeText(result.toString())
            if (!part.renameTo(File(folder, RESULT))) throw IOException("$RESULT cannot be written.")
        }
    }
}
