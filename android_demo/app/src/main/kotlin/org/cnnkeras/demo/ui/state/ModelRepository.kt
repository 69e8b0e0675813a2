package org.cnnkeras.demo.ui.state

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import org.cnnkeras.demo.model.ModelReader

/** A model of the list. An opened model takes precedence over a built-in one of the same name. */
data class ModelEntry(val fileName: String, val builtIn: Boolean)

/** A file that another app provides. */
interface ExternalFile {
    /** Returns the file's display name; this may take a while. */
    fun name(): String

    /** @throws IOException if the file is gone or the app may not read it */
    fun open(): InputStream
}

/** The models that are packed into the app. */
interface BuiltInModels {
    fun names(): List<String>

    fun open(name: String): InputStream
}

/**
 * The models that the user can choose: the built-in ones and copies of the opened ones.
 *
 * @param folder holds the copies of opened files
 * @param cache holds temporary copies
 */
class ModelRepository(
    private val builtIn: BuiltInModels,
    private val folder: File,
    private val cache: File,
) {
    /** Returns the built-in models, then the opened ones, each sorted by name. */
    fun entries(): List<ModelEntry> =
        builtIn.names().sorted().map { ModelEntry(it, builtIn = true) } +
            folder.list().orEmpty().sorted().map { ModelEntry(it, builtIn = false) }

    /** Finds a model by its file name, with or without `.tflite`. */
    fun find(name: String): ModelEntry? =
        entries().lastOrNull { it.fileName == name || it.fileName == name + EXTENSION }

    /**
     * Maps a file into memory, so that the system reads its weights on demand.
     *
     * @return a direct buffer in native byte order
     * @throws IOException if the file is gone or the phone is full
     */
    fun read(entry: ModelEntry): ByteBuffer {
        if (!entry.builtIn) return map(File(folder, entry.fileName))
        // A compressed asset cannot be mapped.
        return withCopy(builtIn.open(entry.fileName)) { copy -> map(copy) }
    }

    /**
     * Copies a file to the list of models if it passes a check.
     *
     * @param check receives the whole file; if it throws, the file is not added
     * @return the result of the check
     * @throws IOException if the file cannot be read or the phone is full
     */
    fun <T> add(file: ExternalFile, check: (ModelEntry, ByteBuffer) -> T): T {
        val entry = ModelEntry(fileName(file.name()), builtIn = false)
        return withCopy(file.open()) { copy ->
            val result = check(entry, map(copy))
            // Renaming replaces the directory entry only, so an existing mapping stays valid.
            if (!copy.renameTo(File(existing(folder), entry.fileName))) {
                throw IOException("${entry.fileName} cannot be saved.")
            }
            result
        }
    }

    /** Deletes the file of an opened model. */
    fun remove(entry: ModelEntry) {
        if (!entry.builtIn) File(folder, entry.fileName).delete()
    }

    /** Passes a temporary copy to [use] and deletes it afterward; a mapping of it stays valid. */
    private fun <T> withCopy(original: InputStream, use: (File) -> T): T {
        val copy = File.createTempFile("model", EXTENSION, existing(cache))
        try {
            original.use { copy(it, copy) }
            return use(copy)
        } finally {
            copy.delete()
        }
    }

    /** Copies at most one byte more than a model may have, which suffices to refuse the file. */
    private fun copy(from: InputStream, to: File) {
        var remaining = ModelReader.MAX_BYTES.toLong() + 1
        val chunk = ByteArray(CHUNK_BYTES)
        to.outputStream().use { output ->
            while (remaining > 0) {
                val count = from.read(chunk, 0, minOf(remaining, CHUNK_BYTES.toLong()).toInt())
                if (count < 0) break
                output.write(chunk, 0, count)
                remaining -= count
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
        const val CHUNK_BYTES = 1 shl 16
        const val MAX_NAME_LENGTH = 80

        /** Returns a file name without path separators or other special characters. */
        fun fileName(name: String): String {
            val stem = name.substringAfterLast('/').removeSuffix(EXTENSION)
                .replace(Regex("[^\\p{L}\\p{N}._ -]"), "_").trimStart('.').take(MAX_NAME_LENGTH)
            return stem.ifBlank { "model" } + EXTENSION
        }
    }
}
