package org.cnnkeras.demo.model.tflite

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import org.cnnkeras.demo.model.Refusal
import org.cnnkeras.demo.model.damaged
import org.cnnkeras.demo.model.requireIntact

/** The type of a slot of a table; see [Layout]. */
internal sealed interface Field {
    /** A number of [bytes] bytes that is stored in the table. */
    class Scalar(val bytes: Int) : Field

    /** A vector of numbers of [bytes] bytes each. */
    class Scalars(val bytes: Int) : Field

    /** UTF-8 text. */
    object Text : Field

    /** A table. */
    class Nested(val layout: Layout) : Field

    /** A vector of tables. */
    class NestedList(val layout: Layout) : Field

    /** A table whose layout depends on the value of the previous slot. */
    class Union(val members: (type: Int) -> Layout?) : Field
}

/** The slots of a table, in the order of the schema. */
internal class Layout(vararg val fields: Field) {
    companion object {
        /**
         * Parses the layout of a table without nested tables: `b` is a number of 1 byte, `i` of 4
         * and `l` of 8 bytes; `[` before a letter makes it a vector.
         */
        fun of(code: String): Layout {
            val fields = Regex("\\[?[bil]").findAll(code).map { match ->
                val bytes = when (match.value.last()) {
                    'b' -> 1
                    'i' -> 4
                    else -> 8
                }
                if (match.value.length == 2) Field.Scalars(bytes) else Field.Scalar(bytes)
            }
            return Layout(*fields.toList().toTypedArray())
        }
    }
}

/**
 * A table in an untrusted flatbuffer; every access is checked to stay inside the buffer.
 *
 * Reference: https://flatbuffers.dev/internals/, "FlatBuffer Binary Format".
 *
 * @param data the flatbuffer in little-endian order, from position 0 to its limit
 * @throws Refusal from the constructor and every function, if an offset or a size is out of range
 */
internal class Table(private val data: ByteBuffer, private val start: Int) {
    private val vtable: Int
    private val vtableSize: Int
    private val size: Int

    init {
        checkRange(start, Int.SIZE_BYTES)
        checkAligned(start, Int.SIZE_BYTES)
        val distance = data.getInt(start)
        val position = start.toLong() - distance
        requireIntact(position in 0..data.limit() && position % 2 == 0L) {
            "a table has an invalid layout"
        }
        vtable = position.toInt()
        checkRange(vtable, VTABLE_HEAD)
        vtableSize = unsignedShort(vtable)
        size = unsignedShort(vtable + 2)
        requireIntact(vtableSize >= VTABLE_HEAD && vtableSize % 2 == 0 && size >= Int.SIZE_BYTES) {
            "a table has an invalid layout"
        }
        checkRange(vtable, vtableSize)
        checkRange(start, size)
    }

    /** Returns whether the file sets a slot, instead of using its default. */
    fun has(slot: Int): Boolean = field(slot, 1) != 0

    /** Returns an unsigned number of one byte. */
    fun byte(slot: Int): Int =
        field(slot, 1).let { if (it == 0) 0 else data.get(it).toInt() and 0xFF }

    /** Returns a number of four bytes. */
    fun int(slot: Int, default: Int = 0): Int =
        field(slot, Int.SIZE_BYTES).let { if (it == 0) default else data.getInt(it) }

    /** Returns a number of eight bytes. */
    fun long(slot: Int): Long =
        field(slot, Long.SIZE_BYTES).let { if (it == 0) 0 else data.getLong(it) }

    /** Returns a floating-point number of four bytes. */
    fun float(slot: Int): Float = Float.fromBits(int(slot))

    /** Returns a vector of numbers of four bytes; null if the file omits it. */
    fun ints(slot: Int): IntArray? = vector(slot, Int.SIZE_BYTES)?.let { bytes ->
        IntArray(bytes.remaining() / Int.SIZE_BYTES) { bytes.getInt(it * Int.SIZE_BYTES) }
    }

    /** Returns a vector of floating-point numbers of four bytes; null if the file omits it. */
    fun floats(slot: Int): FloatArray? = ints(slot)?.let { bits ->
        FloatArray(bits.size) { Float.fromBits(bits[it]) }
    }

    /** Returns a vector of numbers of eight bytes; null if the file omits it. */
    fun longs(slot: Int): LongArray? = vector(slot, Long.SIZE_BYTES)?.let { bytes ->
        LongArray(bytes.remaining() / Long.SIZE_BYTES) { bytes.getLong(it * Long.SIZE_BYTES) }
    }

    /** Returns a view of a vector of bytes; null if the file omits it. */
    fun bytes(slot: Int): ByteBuffer? = vector(slot, 1)

    /** Returns UTF-8 text; null if the file omits it. */
    fun text(slot: Int): String? = vector(slot, 1)?.let(::utf8)

    /** Returns a table; null if the file omits it. */
    fun table(slot: Int): Table? = field(slot, Int.SIZE_BYTES).let { position ->
        if (position == 0) null else Table(data, follow(position))
    }

    /** Returns a vector of tables; empty if the file omits it. */
    fun tables(slot: Int): List<Table> {
        val bytes = vector(slot, Int.SIZE_BYTES) ?: return emptyList()
        val first = target(slot) + Int.SIZE_BYTES
        return List(bytes.remaining() / Int.SIZE_BYTES) { index ->
            Table(data, follow(first + index * Int.SIZE_BYTES))
        }
    }

    /**
     * Checks this table and all tables below it, as flatbuffers' verifier does.
     *
     * @param budget limits the number of visited tables: tables may be shared, so that a small file
     *     can contain a huge number of them
     */
    fun verify(layout: Layout, budget: Budget = Budget(MAX_TABLES)) {
        budget.spend()
        layout.fields.forEachIndexed { slot, field -> verify(slot, field, budget) }
    }

    private fun verify(slot: Int, field: Field, budget: Budget) {
        when (field) {
            is Field.Scalar -> checkAligned(field(slot, field.bytes), field.bytes)
            is Field.Scalars -> vector(slot, field.bytes)
            is Field.Text -> text(slot)
            is Field.Nested -> table(slot)?.verify(field.layout, budget)
            is Field.NestedList -> tables(slot).forEach { it.verify(field.layout, budget) }
            is Field.Union -> table(slot)?.let { member ->
                field.members(byte(slot - 1))?.let { member.verify(it, budget) }
            }
        }
    }

    /** Returns the position of the value of a slot; 0 if the file omits it. */
    private fun field(slot: Int, width: Int): Int {
        val entry = VTABLE_HEAD + 2 * slot
        val offset = if (entry >= vtableSize) 0 else unsignedShort(vtable + entry)
        if (offset == 0) return 0
        requireIntact(offset >= Int.SIZE_BYTES && offset + width <= size) {
            "a value is outside its table"
        }
        return start + offset
    }

    private fun vector(slot: Int, width: Int): ByteBuffer? {
        val position = target(slot)
        if (position == 0) return null
        checkRange(position, Int.SIZE_BYTES)
        val count = data.getInt(position)
        val first = position + Int.SIZE_BYTES
        requireIntact(count >= 0 && count <= (data.limit() - first) / width) {
            "a list is longer than the file"
        }
        checkAligned(position, Int.SIZE_BYTES)
        checkAligned(first, width)
        return data.sliceBytes(first, count * width)
    }

    /** Returns the position that a slot refers to; 0 if the file omits it. */
    private fun target(slot: Int): Int =
        field(slot, Int.SIZE_BYTES).let { if (it == 0) 0 else follow(it) }

    private fun follow(position: Int): Int {
        checkRange(position, Int.SIZE_BYTES)
        checkAligned(position, Int.SIZE_BYTES)
        val target = position + data.getInt(position).toUInt().toLong()
        requireIntact(target < data.limit()) { "an offset is out of range" }
        return target.toInt()
    }

    private fun checkRange(position: Int, bytes: Int) {
        requireIntact(position in 0..data.limit() - bytes) { "an offset is out of range" }
    }

    private fun checkAligned(position: Int, bytes: Int) {
        requireIntact(position % bytes == 0) { "a number is not aligned" }
    }

    private fun unsignedShort(position: Int): Int = data.getShort(position).toInt() and 0xFFFF

    /** The number of tables that may still be visited. */
    class Budget(private var left: Int) {
        /** Counts one table; throws [Refusal] if none is left. */
        fun spend() = requireIntact(left-- > 0) { "it has too many tables" }
    }

    companion object {
        private const val VTABLE_HEAD = 4

        // The limit of flatbuffers' verifier (`max_tables` in flatbuffers/verifier.h).
        private const val MAX_TABLES = 1_000_000

        /** Returns the root table of a flatbuffer. */
        fun root(data: ByteBuffer): Table {
            requireIntact(data.limit() >= 2 * Int.SIZE_BYTES) { "it is too short" }
            val position = data.getInt(0)
            requireIntact(position in 0..data.limit()) { "an offset is out of range" }
            return Table(data, position)
        }
    }
}

/** Decodes UTF-8 text; refuses invalid bytes, which `Charset.decode` would replace by �. */
internal fun utf8(bytes: ByteBuffer): String = try {
    Charsets.UTF_8.newDecoder().decode(bytes.duplicate()).toString()
} catch (_: CharacterCodingException) {
    damaged("a name is not UTF-8 text")
}

/** Returns a view of a range in the same byte order (`slice(int, int)` needs Android 14). */
internal fun ByteBuffer.sliceBytes(first: Int, bytes: Int): ByteBuffer {
    val view = duplicate()
    view.position(first).limit(first + bytes)
    return view.slice().order(order())
}
