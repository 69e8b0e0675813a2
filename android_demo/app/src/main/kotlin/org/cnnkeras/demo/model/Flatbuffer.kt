package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** What a slot of a table holds; see [Layout]. */
internal sealed interface Field {
    /** A number of [bytes] bytes inside the table. */
    class Scalar(val bytes: Int) : Field

    /** A vector of numbers of [bytes] bytes each. */
    class Scalars(val bytes: Int) : Field

    /** UTF-8 text. */
    object Text : Field

    /** A table. */
    class Nested(val layout: Layout) : Field

    /** A vector of tables. */
    class NestedList(val layout: Layout) : Field

    /** A table of another layout for each value of the slot before. */
    class Union(val members: (type: Int) -> Layout?) : Field
}

/** The slots of a table, in the schema's order. */
internal class Layout(vararg val fields: Field) {
    companion object {
        /**
         * Reads a layout without nested tables: `b` a number of 1 byte, `i` of 4, `l` of 8, `[` a
         * vector of the numbers that follow.
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
 * A table in a flatbuffer that nobody has checked: every access stays inside the bytes.
 *
 * Reference: https://flatbuffers.dev/internals/, "FlatBuffer Binary Format".
 *
 * @param data the flatbuffer in little-endian order, from position 0 to its limit
 * @throws Refusal here and from every function, where an offset or a size points outside
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
        requireIntact(position in 0..data.limit() && position % 2 == 0L) { "a table has no layout" }
        vtable = position.toInt()
        checkRange(vtable, VTABLE_HEAD)
        vtableSize = unsignedShort(vtable)
        size = unsignedShort(vtable + 2)
        requireIntact(vtableSize >= VTABLE_HEAD && vtableSize % 2 == 0 && size >= Int.SIZE_BYTES) {
            "a table has no layout"
        }
        checkRange(vtable, vtableSize)
        checkRange(start, size)
    }

    /** Whether the file sets a slot, rather than leaving it at its default. */
    fun has(slot: Int): Boolean = field(slot, 1) != 0

    /** A number of one byte, unsigned. */
    fun byte(slot: Int): Int =
        field(slot, 1).let { if (it == 0) 0 else data.get(it).toInt() and 0xFF }

    /** A number of four bytes. */
    fun int(slot: Int, default: Int = 0): Int =
        field(slot, Int.SIZE_BYTES).let { if (it == 0) default else data.getInt(it) }

    /** A number of eight bytes. */
    fun long(slot: Int): Long =
        field(slot, Long.SIZE_BYTES).let { if (it == 0) 0 else data.getLong(it) }

    /** A floating-point number of four bytes. */
    fun float(slot: Int): Float = Float.fromBits(int(slot))

    /** A vector of numbers of four bytes; null where the file leaves it out. */
    fun ints(slot: Int): IntArray? = vector(slot, Int.SIZE_BYTES)?.let { bytes ->
        IntArray(bytes.remaining() / Int.SIZE_BYTES) { bytes.getInt(it * Int.SIZE_BYTES) }
    }

    /** A vector of floating-point numbers of four bytes; null where the file leaves it out. */
    fun floats(slot: Int): FloatArray? = ints(slot)?.let { bits ->
        FloatArray(bits.size) { Float.fromBits(bits[it]) }
    }

    /** A vector of numbers of eight bytes; null where the file leaves it out. */
    fun longs(slot: Int): LongArray? = vector(slot, Long.SIZE_BYTES)?.let { bytes ->
        LongArray(bytes.remaining() / Long.SIZE_BYTES) { bytes.getLong(it * Long.SIZE_BYTES) }
    }

    /** A vector of bytes, not copied; null where the file leaves it out. */
    fun bytes(slot: Int): ByteBuffer? = vector(slot, 1)

    /** UTF-8 text; null where the file leaves it out. */
    fun text(slot: Int): String? = vector(slot, 1)?.let(::utf8)

    /** A table; null where the file leaves it out. */
    fun table(slot: Int): Table? = field(slot, Int.SIZE_BYTES).let { position ->
        if (position == 0) null else Table(data, follow(position))
    }

    /** A vector of tables, read one by one as they are asked for. */
    fun tables(slot: Int): List<Table> {
        val bytes = vector(slot, Int.SIZE_BYTES) ?: return emptyList()
        val first = target(slot) + Int.SIZE_BYTES
        return List(bytes.remaining() / Int.SIZE_BYTES) { index ->
            Table(data, follow(first + index * Int.SIZE_BYTES))
        }
    }

    /**
     * Checks that everything under this table lies inside the file, as the runtime will read it.
     *
     * @param budget tables that may still be visited; tables can be shared, so a small file can
     *     hold endless work
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

    /** Returns where a slot's value stands; 0 if the file leaves it out. */
    private fun field(slot: Int, width: Int): Int {
        val entry = VTABLE_HEAD + 2 * slot
        val offset = if (entry >= vtableSize) 0 else unsignedShort(vtable + entry)
        if (offset == 0) return 0
        requireIntact(offset >= Int.SIZE_BYTES && offset + width <= size) {
            "a value stands outside of its table"
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
        return data.part(first, count * width)
    }

    /** Returns what a slot points at; 0 if the file leaves it out. */
    private fun target(slot: Int): Int =
        field(slot, Int.SIZE_BYTES).let { if (it == 0) 0 else follow(it) }

    private fun follow(position: Int): Int {
        checkRange(position, Int.SIZE_BYTES)
        checkAligned(position, Int.SIZE_BYTES)
        val target = position + data.getInt(position).toUInt().toLong()
        requireIntact(target < data.limit()) { "an offset points outside" }
        return target.toInt()
    }

    private fun checkRange(position: Int, bytes: Int) {
        requireIntact(position in 0..data.limit() - bytes) { "an offset points outside" }
    }

    private fun checkAligned(position: Int, bytes: Int) {
        requireIntact(position % bytes == 0) { "a number stands at an odd place" }
    }

    private fun unsignedShort(position: Int): Int = data.getShort(position).toInt() and 0xFFFF

    /** Counts down the tables that may still be visited. */
    class Budget(private var left: Int) {
        /** Takes one; throws [Refusal] after the last. */
        fun spend() = requireIntact(left-- > 0) { "it repeats itself" }
    }

    companion object {
        private const val VTABLE_HEAD = 4

        // What flatbuffers' own verifier allows (`max_tables` in flatbuffers/verifier.h).
        private const val MAX_TABLES = 1_000_000

        /** The table that a flatbuffer begins with. */
        fun root(data: ByteBuffer): Table {
            requireIntact(data.limit() >= 2 * Int.SIZE_BYTES) { "it ends at once" }
            val position = data.getInt(0)
            requireIntact(position in 0..data.limit()) { "an offset points outside" }
            return Table(data, position)
        }
    }
}

/** Decodes text; bytes that are none are damage, where `Charset.decode` would put a �. */
internal fun utf8(bytes: ByteBuffer): String = try {
    Charsets.UTF_8.newDecoder().decode(bytes.duplicate()).toString()
} catch (_: CharacterCodingException) {
    damaged("a name in it is not text")
}

/** A view of a part in the same order of bytes (`ByteBuffer.slice(int, int)` needs Android 14). */
internal fun ByteBuffer.part(first: Int, bytes: Int): ByteBuffer {
    val view = duplicate()
    view.position(first).limit(first + bytes)
    return view.slice().order(order())
}
