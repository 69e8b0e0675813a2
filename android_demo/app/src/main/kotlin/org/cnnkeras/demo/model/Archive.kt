package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/**
 * The associated files: a zip archive behind the model, in the same file.
 *
 * `java.util.zip` reads archives from paths and streams alone, and from a stream only where the
 * archive begins it; so the directory is read here.
 *
 * Reference: PKWARE, "APPNOTE.TXT", 4.3.7 (local file header), 4.3.12, and 4.3.16 (end of central
 * directory).
 *
 * @param data the whole file, in little-endian order
 * @throws Refusal here and from [get], where the archive is damaged
 */
internal class Archive(private val data: ByteBuffer) {
    private class Entry(
        val header: Int,
        val method: Int,
        val crc: Int,
        val packed: Int,
        val size: Int,
    )

    private val entries: Map<String, Entry> = endOfDirectory()?.let(::directory) ?: emptyMap()

    /** A file's bytes; null if the archive has none of this name. */
    operator fun get(name: String): ByteArray? {
        val entry = entries[name] ?: return null
        requireIntact(intAt(entry.header) == LOCAL_HEADER) { CUT }
        val names = shortAt(entry.header + 26) + shortAt(entry.header + 28)
        val stored = part(entry.header + LOCAL_HEADER_BYTES + names, entry.packed)
        val bytes = if (entry.method == STORED) stored else inflate(stored, entry.size)
        requireIntact(bytes.size == entry.size && crc(bytes) == entry.crc) { CUT }
        return bytes
    }

    /** Returns where the directory's end stands: behind it is only a comment. */
    private fun endOfDirectory(): Int? {
        val last = data.limit() - END_BYTES
        return (last downTo maxOf(0, last - MAX_COMMENT_BYTES)).firstOrNull {
            data.getInt(it) == END && shortAt(it + 20) == last - it
        }
    }

    private fun directory(end: Int): Map<String, Entry> {
        val count = shortAt(end + 10)
        val bytes = intAt(end + 12)
        // The archive's offsets count from its own start or from the file's, by its writer.
        val start = end.toLong() - bytes - intAt(end + 16)
        var position = end.toLong() - bytes
        requireIntact(bytes >= 0 && position >= 0 && start >= 0) { CUT }
        return List(count) {
            val at = position.toInt()
            requireIntact(intAt(at) == DIRECTORY_ENTRY) { CUT }
            val name = utf8(ByteBuffer.wrap(part(at + DIRECTORY_ENTRY_BYTES, shortAt(at + 28))))
            val more = shortAt(at + 28) + shortAt(at + 30) + shortAt(at + 32)
            position += DIRECTORY_ENTRY_BYTES + more
            name to entry(at, start)
        }.toMap()
    }

    private fun entry(at: Int, start: Long): Entry {
        val header = start + intAt(at + 42)
        val (method, size) = shortAt(at + 10) to intAt(at + 24)
        val isPlain = shortAt(at + 8) and ENCRYPTED == 0 && method in setOf(STORED, DEFLATED)
        requireIntact(isPlain && header in 0..data.limit() && size in 0..MAX_FILE_BYTES) { CUT }
        return Entry(header.toInt(), method, intAt(at + 16), intAt(at + 20), size)
    }

    private fun inflate(packed: ByteArray, size: Int): ByteArray {
        val inflater = Inflater(true)
        try {
            inflater.setInput(packed)
            val bytes = ByteArray(size)
            var filled = 0
            while (filled < size) {
                val more = inflater.inflate(bytes, filled, size - filled)
                if (more == 0) damaged(CUT)
                filled += more
            }
            return bytes
        } catch (_: DataFormatException) {
            damaged(CUT)
        } finally {
            inflater.end()
        }
    }

    private fun crc(bytes: ByteArray): Int = CRC32().apply { update(bytes) }.value.toInt()

    private fun part(first: Int, count: Int): ByteArray {
        requireIntact(count in 0..data.limit() && first in 0..data.limit() - count) { CUT }
        return ByteArray(count).also { data.part(first, count).get(it) }
    }

    private fun intAt(position: Int): Int {
        requireIntact(position in 0..data.limit() - Int.SIZE_BYTES) { CUT }
        return data.getInt(position)
    }

    private fun shortAt(position: Int): Int {
        requireIntact(position in 0..data.limit() - Short.SIZE_BYTES) { CUT }
        return data.getShort(position).toInt() and 0xFFFF
    }

    private companion object {
        const val CUT = "the files behind the model are cut or changed"
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

        // ImageNet's 21,841 classes have 0.6 MB of names.
        const val MAX_FILE_BYTES = 4 shl 20
    }
}
