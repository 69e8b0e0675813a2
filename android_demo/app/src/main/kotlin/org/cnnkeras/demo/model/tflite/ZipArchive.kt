package org.cnnkeras.demo.model.tflite

import java.nio.ByteBuffer
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater
import org.cnnkeras.demo.model.Refusal
import org.cnnkeras.demo.model.damaged
import org.cnnkeras.demo.model.requireIntact

/**
 * Reads the associated files from the zip archive that follows the model in the same file.
 *
 * `java.util.zip` reads an archive from a path, or from a stream that starts with the archive. It
 * cannot read an archive behind other data, so this class reads the central directory itself.
 *
 * Reference: PKWARE, "APPNOTE.TXT", 4.3.7 (local file header), 4.3.12, and 4.3.16 (end of central
 * directory).
 *
 * @param data the whole file, in little-endian order
 * @throws Refusal from the constructor and from [get], if the archive is damaged
 */
internal class ZipArchive(private val data: ByteBuffer) {
    private class Entry(
        val header: Int,
        val method: Int,
        val crc: Int,
        val compressed: Int,
        val size: Int,
    )

    private val entries: Map<String, Entry> = endOfDirectory()?.let(::directory) ?: emptyMap()

    /** Returns the bytes of a file; null if the archive has no file of this name. */
    operator fun get(name: String): ByteArray? {
        val entry = entries[name] ?: return null
        requireIntact(intAt(entry.header) == LOCAL_HEADER) { DAMAGED }
        val names = shortAt(entry.header + 26) + shortAt(entry.header + 28)
        val stored = bytesAt(entry.header + LOCAL_HEADER_BYTES + names, entry.compressed)
        val bytes = if (entry.method == STORED) stored else inflate(stored, entry.size)
        requireIntact(bytes.size == entry.size && crc(bytes) == entry.crc) { DAMAGED }
        return bytes
    }

    /** Finds the end of central directory record, which only a comment may follow. */
    private fun endOfDirectory(): Int? {
        val last = data.limit() - END_BYTES
        return (last downTo maxOf(0, last - MAX_COMMENT_BYTES)).firstOrNull {
            data.getInt(it) == END && shortAt(it + 20) == last - it
        }
    }

    private fun directory(end: Int): Map<String, Entry> {
        val count = shortAt(end + 10)
        val bytes = intAt(end + 12)
        // Depending on the writer, offsets are relative to the archive or to the file.
        val start = end.toLong() - bytes - intAt(end + 16)
        var position = end.toLong() - bytes
        requireIntact(bytes >= 0 && position >= 0 && start >= 0) { DAMAGED }
        return List(count) {
            val at = position.toInt()
            requireIntact(intAt(at) == DIRECTORY_ENTRY) { DAMAGED }
            val name = utf8(ByteBuffer.wrap(bytesAt(at + DIRECTORY_ENTRY_BYTES, shortAt(at + 28))))
            val variableBytes = shortAt(at + 28) + shortAt(at + 30) + shortAt(at + 32)
            position += DIRECTORY_ENTRY_BYTES + variableBytes
            name to entry(at, start)
        }.toMap()
    }

    private fun entry(at: Int, start: Long): Entry {
        val header = start + intAt(at + 42)
        val (method, size) = shortAt(at + 10) to intAt(at + 24)
        val isPlain = shortAt(at + 8) and ENCRYPTED == 0 && method in setOf(STORED, DEFLATED)
        requireIntact(isPlain && header in 0..data.limit() && size in 0..MAX_FILE_BYTES) { DAMAGED }
        return Entry(header.toInt(), method, intAt(at + 16), intAt(at + 20), size)
    }

    private fun inflate(compressed: ByteArray, size: Int): ByteArray {
        val inflater = Inflater(true)
        try {
            inflater.setInput(compressed)
            val bytes = ByteArray(size)
            var filled = 0
            while (filled < size) {
                val count = inflater.inflate(bytes, filled, size - filled)
                if (count == 0) damaged(DAMAGED)
                filled += count
            }
            return bytes
        } catch (_: DataFormatException) {
            damaged(DAMAGED)
        } finally {
            inflater.end()
        }
    }

    private fun crc(bytes: ByteArray): Int = CRC32().apply { update(bytes) }.value.toInt()

    private fun bytesAt(first: Int, count: Int): ByteArray {
        requireIntact(count in 0..data.limit() && first in 0..data.limit() - count) { DAMAGED }
        return ByteArray(count).also { data.sliceBytes(first, count).get(it) }
    }

    private fun intAt(position: Int): Int {
        requireIntact(position in 0..data.limit() - Int.SIZE_BYTES) { DAMAGED }
        return data.getInt(position)
    }

    private fun shortAt(position: Int): Int {
        requireIntact(position in 0..data.limit() - Short.SIZE_BYTES) { DAMAGED }
        return data.getShort(position).toInt() and 0xFFFF
    }

    private companion object {
        const val DAMAGED = "the associated files are truncated or changed"
        const val LOCAL_HEADER = 0x04034b50
        const val LOCAL_HEADER_BYTES = 30
        const val DIRECTORY_ENTRY = 0x02014b50
        const val DIRECTORY_ENTRY_BYTES = 46
        const val END = 0x06054b50
        const val END_BYTES = 22
        const val MAX_COMMENT_BYTES = 0xFFFF
        const val STORED = 0
        const val DEFLATED = 8
        const val ENCRYPTED = 1

        // The names of the 21,841 classes of ImageNet-21k take 0.6 MB.
        const val MAX_FILE_BYTES = 4 shl 20
    }
}
