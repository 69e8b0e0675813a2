package org.cnnkeras.demo.ui.state

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import org.json.JSONException

/**
 * Keeps benchmarks, one line each, and tells of each.
 *
 * @param folders where [FILE_NAME] is written; read from the first
 * @param log is given each line
 */
class Ledger(private val folders: List<File>, private val log: (String) -> Unit) {
    /**
     * Appends a line to each file, in one write, so that none is left half-written.
     *
     * @throws IOException if the first file cannot be written
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

    /** Returns the last [count] benchmarks, the newest first; lines that are none are left out. */
    fun last(count: Int): List<Record> {
        val file = File(folders.first(), FILE_NAME)
        if (!file.exists()) return emptyList()
        return file.readLines().asReversed().asSequence().mapNotNull(::record).take(count).toList()
    }

    private fun record(line: String): Record? = try {
        Record.parse(line)
    } catch (_: JSONException) {
        null
    }

    companion object {
        /** As the command names it. */
        const val FILE_NAME = "benchmarks.jsonl"
    }
}
