package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Random
import org.cnnkeras.demo.model.tflite.GraphReader
import org.cnnkeras.demo.model.tflite.Table

/** A kind of damage. */
enum class Mutation { FLIP, SET, OFFSET, SHIFT, ZEROS, CUT, SPLICE, TAIL }

/**
 * Damages a model file reproducibly, by a seed.
 *
 * Most bytes of a file are weights, and changing them is harmless. So nine of ten changes affect
 * the other bytes.
 */
class Mutations(private val file: ByteArray) {
    private val structure: IntArray = structure()

    /** Returns the kind of damage of a seed, and the damaged file. */
    fun make(seed: Long): Pair<Mutation, ByteArray> {
        // Consecutive seeds give similar first numbers unless they are mixed.
        val random = Random(seed * -0x61c8864680b583ebL)
        val mutation = Mutation.entries[random.nextInt(Mutation.entries.size)]
        return mutation to when (mutation) {
            Mutation.FLIP -> changed(random, 1 + random.nextInt(3)) { bytes, at ->
                bytes[at] = (bytes[at].toInt() xor (1 shl random.nextInt(8))).toByte()
            }
            Mutation.SET -> changed(random, 1 + random.nextInt(3)) { bytes, at ->
                bytes[at] = EXTREMES[random.nextInt(EXTREMES.size)].toByte()
            }
            Mutation.OFFSET -> changed(random, 1) { bytes, at ->
                put(bytes, at, WORDS[random.nextInt(WORDS.size)])
            }
            Mutation.SHIFT -> changed(random, 1) { bytes, at ->
                put(bytes, at, get(bytes, at) + SHIFTS[random.nextInt(SHIFTS.size)])
            }
            Mutation.ZEROS -> changed(random, 1) { bytes, at ->
                bytes.fill(0, at, minOf(bytes.size, at + 1 + random.nextInt(32)))
            }
            Mutation.CUT -> file.copyOf(random.nextInt(file.size))
            Mutation.SPLICE -> {
                val at = position(random)
                file.copyOf(at) + ByteArray(4 * (1 + random.nextInt(8))) + file.drop(at)
            }
            Mutation.TAIL -> file.copyOf().also { bytes ->
                val at = bytes.size - 1 - random.nextInt(minOf(bytes.size, TAIL_BYTES))
                bytes[at] = random.nextInt(256).toByte()
            }
        }
    }

    private fun changed(random: Random, times: Int, change: (ByteArray, Int) -> Unit): ByteArray {
        val bytes = file.copyOf()
        repeat(times) { change(bytes, position(random)) }
        return bytes
    }

    private fun position(random: Random): Int =
        if (random.nextInt(10) == 0) {
            random.nextInt(file.size)
        } else {
            structure[random.nextInt(structure.size)]
        }

    /** Returns the positions outside large constants. */
    private fun structure(): IntArray {
        val buffer = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN)
        val isWeight = BooleanArray(file.size)
        for (tensor in GraphReader(Table.root(buffer)).tensors) {
            val values = tensor.constant?.takeIf { it.capacity() > SHORT_LIST_BYTES } ?: continue
            isWeight.fill(true, values.arrayOffset(), values.arrayOffset() + values.capacity())
        }
        return file.indices.filterNot { isWeight[it] }.toIntArray()
    }

    private fun get(bytes: ByteArray, at: Int): Int = words(bytes).getInt(aligned(at))

    private fun put(bytes: ByteArray, at: Int, value: Int) {
        words(bytes).putInt(aligned(at), value)
    }

    private fun words(bytes: ByteArray) = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)

    private fun aligned(at: Int) = minOf(at, file.size - 4) and 3.inv()

    private companion object {
        const val SHORT_LIST_BYTES = 64
        const val TAIL_BYTES = 1500
        val EXTREMES = intArrayOf(0, 1, 2, 3, 5, 9, 32, 127, 128, 255)
        val WORDS = intArrayOf(
            0, 1, 2, 3, 4, 7, 16, 255, 1 shl 16, 1 shl 24, 1 shl 30, Int.MAX_VALUE, Int.MIN_VALUE,
            -1, -2, -4, 0x7f800000, 0x7fc00000, 0x00800000, 0x00000001, 0x7f7fffff,
        )
        val SHIFTS = intArrayOf(-64, -16, -8, -4, -2, -1, 1, 2, 4, 8, 16, 64)
    }
}
