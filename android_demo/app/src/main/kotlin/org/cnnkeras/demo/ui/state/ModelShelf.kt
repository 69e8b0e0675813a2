package org.cnnkeras.demo.ui.state

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import org.cnnkeras.demo.model.ModelReader

/** A model that can be chosen; one that was opened takes precedence over a built-in namesake. */
data class ModelEntry(val fileName: String, val builtIn: Boolean)

/** A file that another app offers. */
interface Source {
    /** The user's name for it; asking may take a while. */
    fun name(): String

    /** @throws IOException if it is gone or may not be read */
    fun open(): InputStream
}

/** The files that come with the app. */
interface BuiltInFiles {
    fun names(): List<String>

    fun open(name: String): InputStream
}

/**
 * The models that can be chosen: built-in ones and those that were opened, which are kept.
 *
 * @param folder where opened files are kept
 * @param cache where copies lie for a while
 */
class ModelShelf(
    private val builtIn: BuiltInFiles,
    private val folder: File,
    private val cache: File,
) {
    /** Built-in models, then opened ones, each by name. */
    fun entries(): List<ModelEntry> =
        builtIn.names().sorted().map { ModelEntry(it, builtIn = true) } +
            folder.list().orEmpty().sorted().map { ModelEntry(it, builtIn = false) }

    /** Finds a model by its file's name, with or without `.tflite`. */
    fun find(name: String): ModelEntry? =
        entries().lastOrNull { it.fileName == name || it.fileName == name + EXTENSION }

    /**
     * Maps a file into memory, direct and in native order, so that its weights are read as needed.
     *
     * @throws IOException if it is gone, or the phone is full
     */
    fun read(entry: ModelEntry): ByteBuffer {
        if (!entry.builtIn) return map(File(folder, entry.fileName))
        // Assets cannot be mapped where they are compressed.
        return withCopy(builtIn.open(entry.fileName)) { copy -> map(copy) }
    }

    /**
     * Copies an offered file to the shelf if it passes a check.
     *
     * @param check is given the whole file; what it throws keeps the file from the shelf
     * @return what the check returned
     * @throws IOException if the file cannot be read, or the phone is full
     */
    fun <T> add(source: Source, check: (ModelEntry, ByteBuffer) -> T): T {
        val entry = ModelEntry(fileName(source.name()), builtIn = false)
        return withCopy(source.open()) { copy ->
            val result = check(entry, map(copy))
            // A new file in the old one's place: what was mapped stays as it was.
            if (!copy.renameTo(File(existing(folder), entry.fileName))) {
                throw IOException("${entry.fileName} cannot be kept.")
            }
            result
        }
    }

    /** Removes an opened model's file. */
    fun remove(entry: ModelEntry) {
        if (!entry.builtIn) File(folder, entry.fileName).delete()
    }

    /** Uses a copy that goes afterwards; what is mapped of it stays as long as it is used. */
    private fun <T> withCopy(original: InputStream, use: (File) -> T): T {
        val copy = File.createTempFile("model", EXTENSION, existing(cache))
        try {
            original.use { copy(it, copy) }
            return use(copy)
        } finally {
            copy.delete()
        }
    }

    /** Copies at most one byte more than a model may have: enough for the reader to refuse it. */
    private fun copy(from: InputStream, to: File) {
        var room = ModelReader.MAX_BYTES.toLong() + 1
        val chunk = ByteArray(CHUNK)
        to.outputStream().use { output ->
            while (room > 0) {
                val count = from.read(chunk, 0, minOf(room, CHUNK.toLong()).toInt())
                if (count < 0) break
                output.write(chunk, 0, count)
                room -= count
            }
        }
    }

    private fun map(file: File): ByteBuffer =
        FileChannel.open(file.toPath(), StandardOpenOption.READ).use {
            it.map(FileChannel.MapMode.READ_ONLY, 0, it.size()).order(ByteOrder.nativeOrder())
        }

    private fun existing(folder: File): File = folder.apply { mkdirs() }

    private companion object {
        const val EXTENSION = ".tflite"
        const val CHUNK = 1 shl 16
        const val MAX_NAME = 80

        /** A name that is a file's in one folder, whatever another app says. */
        fun fileName(name: String): String {
            val stem = name.substringAfterLast('/').removeSuffix(EXTENSION)
                .replace(Regex("[^\\p{L}\\p{N}._ -]"), "_").trimStart('.').take(MAX_NAME)
            return stem.ifBlank { "model" } + EXTENSION
        }
    }
}
