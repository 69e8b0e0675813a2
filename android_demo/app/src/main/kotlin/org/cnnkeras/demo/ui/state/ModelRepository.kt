package org.cnnkeras.demo.ui.state

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.nio.file.StandardOpenOption
import org.cnnkeras.demo.model.ModelReader

/**
 * A model of the list. A model that was pushed to the phone takes precedence over an opened one of
 * the same name, and that over a built-in one.
 */
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
 * The models that the user can choose: the built-in ones, copies of the opened ones, and those that
 * a computer has pushed to the phone.
 *
 * @param folder holds the copies of opened files
 * @param cache holds temporary copies
 * @param pushed holds pushed models among other files; null if the phone has no such folder
 */
class ModelRepository(
    private val builtIn: BuiltInModels,
    private val folder: File,
    private val cache: File,
    private val pushed: File? = null,
) {
    /** Returns the built-in models, then the others, each sorted by name. */
    fun entries(): List<ModelEntry> =
        builtIn.names().sorted().map { ModelEntry(it, builtIn = true) } +
            (pushedNames() + folder.list().orEmpty()).distinct().sorted()
                .map { ModelEntry(it, builtIn = false) }

    /** Finds a model by its file name, with or without `.tflite`, or by the path of a pushed one. */
    fun find(name: String): ModelEntry? {
        if ('/' !in name) {
            return entries().lastOrNull { it.fileName == name || it.fileName == name + EXTENSION }
        }
        val file = pushedNames().firstOrNull { File(pushed, it).canonicalPath == canonical(name) }
        return file?.let { ModelEntry(it, builtIn = false) }
    }

    /**
     * Maps a file into memory, so that the system reads its weights on demand.
     *
     * @return a direct buffer in native byte order
     * @throws IOException if the file is gone or the phone is full
     */
    fun read(entry: ModelEntry): ByteBuffer {
        if (!entry.builtIn) return map(file(entry))
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

    /**
     * Maps a file that is not in the list into memory.
     *
     * @return a direct buffer in native byte order
     * @throws IOException if the file is missing
     */
    fun map(file: File): ByteBuffer =
        FileChannel.open(file.toPath(), StandardOpenOption.READ).use {
            it.map(FileChannel.MapMode.READ_ONLY, 0, it.size()).order(ByteOrder.nativeOrder())
        }

    /** Deletes the file of an opened or pushed model. */
    fun remove(entry: ModelEntry) {
        if (!entry.builtIn) file(entry).delete()
    }

    private fun file(entry: ModelEntry): File =
        File(if (entry.fileName in pushedNames()) pushed else folder, entry.fileName)

    private fun pushedNames(): List<String> =
        pushed?.list().orEmpty().filter { it.endsWith(EXTENSION) }

    /** Returns the path without links, as `/sdcard` is one. */
    private fun canonical(path: String): String = File(path).canonicalPath

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
