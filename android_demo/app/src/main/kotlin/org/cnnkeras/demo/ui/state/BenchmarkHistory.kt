package org.cnnkeras.demo.ui.state

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import org.json.JSONException

/**
 * Stores benchmark results in a JSONL file, one line each.
 *
 * @param folders the file [FILE_NAME] is written to each of them and read from the first
 * @param log receives each line that is stored
 */
class BenchmarkHistory(private val folders: List<File>, private val log: (String) -> Unit) {
    /**
     * Appends a line to the file in each folder, in a single write so that no line is partial.
     *
     * @throws IOException if the file in the first folder cannot be written
     */
    fun append(line: String) {
        log(line)
        for (folder in folders) {
            try {
                folder.mkdirs()
                FileOutputStream(File(folder, FILE_NAME), true).use {
                    it.write((line + "\n").toByteArray())
                }
            } catch (error: IOException) {
                if (folder == folders.first()) throw error
            }
        }
    }

    /** Returns the latest [count] results, newest first; skips lines that cannot be parsed. */
    fun latest(count: Int): List<BenchmarkResult> {
        val file = File(folders.first(), FILE_NAME)
        if (!file.exists()) return emptyList()
        return file.readLines().asReversed().asSequence().mapNotNull(::parse).take(count).toList()
    }

    private fun parse(line: String): BenchmarkResult? = try {
        BenchmarkResult.parse(line)
    } catch (_: JSONException) {
        null
    }

    companion object {
        /** The file name that the README documents. */
        const val FILE_NAME = "benchmarks.jsonl"
    }
}
