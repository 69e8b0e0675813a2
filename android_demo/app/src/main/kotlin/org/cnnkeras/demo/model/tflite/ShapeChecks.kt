package org.cnnkeras.demo.model.tflite

import org.cnnkeras.demo.model.damaged
import org.cnnkeras.demo.model.refuse
import org.cnnkeras.demo.model.requireIntact

// Checks the output shapes of each operation. The runtime computes the shapes again and allocates
// memory for them; the checks make sure that it gets the shapes that the file states.
//
// Reference: `Prepare` of each kernel in tensorflow/lite/kernels/.

/** Checks an elementwise operation with one input. */
internal fun Node.unary() = expect(sizes(0))

/** Checks a sum of tensors of the same shape. */
internal fun Node.sumTensors() {
    for (position in inputs.indices) intact(sizes(position) == sizes(0))
    expect(sizes(0))
}

/** Checks that the output has as many elements as the input. */
internal fun Node.sameElements() = intact(tensor(0).elements == outputs[0].elements)

/** Checks an elementwise operation with two inputs, which are broadcast. */
internal fun Node.broadcast() = expect(broadcast(sizes(0), sizes(1)))

/** Checks a selection between the second and the third input by the first. */
internal fun Node.select() {
    val values = broadcast(sizes(1), sizes(2))
    val rows = operation == Operation.SELECT && tensor(0).rank == 1
    if (rows) {
        intact(values.isNotEmpty() && tensor(0).elements in setOf(1L, values[0]))
        expect(values)
    } else {
        expect(broadcast(sizes(0), values))
    }
}

internal fun Node.broadcastTo() {
    val target = integers(1)
    intact(broadcast(sizes(0), target) == target)
    expect(target)
}

internal fun Node.convolve() {
    val (batch, height, width, channels) = sizes4d(0)
    val (filters, filterHeight, filterWidth, depth) = sizes4d(1)
    // Filters with fewer channels than the image make a grouped convolution.
    intact(depth >= 1 && channels % depth == 0L && filters % (channels / depth) == 0L)
    checkBias(2, filters)
    val rows = window(height, filterHeight, stride = option(2), dilation = option(5, default = 1))
    val columns = window(width, filterWidth, stride = option(1), dilation = option(4, default = 1))
    expect(listOf(batch, rows, columns, filters))
}

internal fun Node.convolveDepthwise() {
    val (batch, height, width, channels) = sizes4d(0)
    val (one, filterHeight, filterWidth, filters) = sizes4d(1)
    intact(one == 1L && filters == channels * option(3))
    checkBias(2, filters)
    val rows = window(height, filterHeight, stride = option(2), dilation = option(6, default = 1))
    val columns = window(width, filterWidth, stride = option(1), dilation = option(5, default = 1))
    expect(listOf(batch, rows, columns, filters))
}

/** Checks a transposed convolution: the file states the output size, and the input size follows. */
internal fun Node.convolveTransposed() {
    val result = integers(0)
    val (filters, filterHeight, filterWidth, depth) = sizes4d(1)
    val (batch, height, width, channels) = sizes4d(2)
    intact(result.size == 4 && depth == channels)
    checkBias(3, filters)
    intact(height == window(result[1], filterHeight, stride = option(2), dilation = 1))
    intact(width == window(result[2], filterWidth, stride = option(1), dilation = 1))
    intact(result[0] == batch && result[3] == filters)
    expect(result)
}

internal fun Node.pool() {
    val (batch, height, width, channels) = sizes4d(0)
    val rows = window(height, option(4), stride = option(2), dilation = 1)
    val columns = window(width, option(3), stride = option(1), dilation = 1)
    expect(listOf(batch, rows, columns, channels))
}

internal fun Node.connectFully() {
    val filters = sizes(1)
    intact(filters.size == 2 && filters[0] >= 1 && filters[1] >= 1)
    val (units, depth) = filters
    intact(options?.byte(1) == 0 || options == null) // WeightsFormat: DEFAULT
    intact(tensor(0).rank >= 1 && tensor(0).elements % depth == 0L)
    checkBias(2, units)
    val keepsDimensions = options?.byte(2) == 1
    intact(!keepsDimensions || sizes(0).last() == depth)
    val rows = if (keepsDimensions) sizes(0).dropLast(1) else listOf(tensor(0).elements / depth)
    expect(rows + units)
}

internal fun Node.normalizeLocally() {
    sizes4d(0)
    option(0, min = 0)
    expect(sizes(0))
}

internal fun Node.multiplyMatrices() {
    val (left, right) = listOf(sizes(0), sizes(1))
    intact(left.size in 2..MAX_MATRIX_RANK && right.size in 2..MAX_MATRIX_RANK)
    val (rows, depth) = matrix(left, transposed = options?.byte(0) == 1)
    val (otherDepth, columns) = matrix(right, transposed = options?.byte(1) == 1)
    intact(depth == otherDepth)
    expect(broadcast(left.dropLast(2), right.dropLast(2)) + rows + columns)
}

internal fun Node.concatenate() {
    val first = sizes(0)
    val axis = axis(options?.int(0) ?: 0, first.size)
    var length = 0L
    for (position in inputs.indices) {
        val other = sizes(position)
        intact(other.size == first.size && other.with(axis, 0) == first.with(axis, 0))
        length += other[axis]
    }
    expect(first.with(axis, length))
}

internal fun Node.split() {
    val length = splitLength(sizesAt = 1, axisAt = 0)
    intact(length.second % outputs.size == 0L && options?.int(0) == outputs.size)
    for (index in outputs.indices) {
        expect(sizes(1).with(length.first, length.second / outputs.size), index)
    }
}

internal fun Node.splitUnevenly() {
    val (axis, length) = splitLength(sizesAt = 0, axisAt = 2)
    val parts = integers(1)
    intact(parts.size == outputs.size && options?.int(0) == outputs.size)
    intact(parts.all { it >= -1 } && parts.count { it == -1L } <= 1)
    val rest = length - parts.filter { it >= 0 }.sum()
    intact(if (-1L in parts) rest >= 0 else rest == 0L)
    parts.forEachIndexed { index, part ->
        expect(sizes(0).with(axis, if (part == -1L) rest else part), index)
    }
}

/** Returns the axis to split and its length. */
private fun Node.splitLength(sizesAt: Int, axisAt: Int): Pair<Int, Long> {
    val axes = integers(axisAt)
    intact(axes.size == 1)
    val axis = axis(axes[0], sizes(sizesAt).size)
    return axis to sizes(sizesAt)[axis]
}

internal fun Node.pack() {
    for (position in inputs.indices) intact(sizes(position) == sizes(0))
    intact(options?.int(0) == inputs.size)
    val axis = axis(options?.int(1) ?: 0, sizes(0).size + 1)
    expect(sizes(0).take(axis) + inputs.size.toLong() + sizes(0).drop(axis))
}

internal fun Node.unpack() {
    val axis = axis(options?.int(1) ?: 0, sizes(0).size)
    intact(sizes(0)[axis] == outputs.size.toLong() && options?.int(0) == outputs.size)
    for (index in outputs.indices) expect(sizes(0).filterIndexed { i, _ -> i != axis }, index)
}

/** Checks a reshape; if an operation computes the shape, only the number of elements. */
internal fun Node.reshape() {
    sameElements()
    val stated = when {
        inputs.size == 2 && tensor(1).integers() != null -> integers(1)
        inputs.size == 2 -> return
        else -> (options?.ints(0) ?: IntArray(0)).map { it.toLong() }
    }
    intact(stated.all { it >= -1 } && stated.count { it == -1L } <= 1)
    val result = outputs[0].shape.map { it.toLong() }
    intact(stated.size == result.size)
    intact(stated.zip(result).all { (size, actual) -> size == -1L || size == actual })
}

internal fun Node.shape() = expect(listOf(tensor(0).rank.toLong()))

internal fun Node.transpose() {
    val order = integers(1)
    intact(order.sorted() == List(sizes(0).size) { it.toLong() })
    expect(order.map { sizes(0)[it.toInt()] })
}

internal fun Node.reduce() {
    val axes = integers(1).map { axis(it, sizes(0).size) }
    val keepsDimensions = options?.byte(0) == 1
    expect(
        if (keepsDimensions) {
            sizes(0).mapIndexed { axis, size -> if (axis in axes) 1 else size }
        } else {
            sizes(0).filterIndexed { axis, _ -> axis !in axes }
        },
    )
}

internal fun Node.gather() {
    val (data, indices) = listOf(sizes(0), sizes(1))
    val axis = axis(options?.int(0) ?: 0, data.size)
    val batch = options?.int(1) ?: 0
    intact(batch in 0..minOf(axis, indices.size) && data.take(batch) == indices.take(batch))
    tensor(1).integers()?.forEach { intact(it in 0 until data[axis]) }
    expect(data.take(axis) + indices.drop(batch) + data.drop(axis + 1))
}

internal fun Node.resize() {
    val (batch, _, _, channels) = sizes4d(0)
    val size = integers(1)
    intact(size.size == 2 && size.all { it in 1..MAX_OPTION })
    expect(listOf(batch) + size + channels)
}

internal fun Node.pad() {
    if (operation == Operation.PADV2) intact(tensor(2).elements == 1L)
    expect(pairs(1, sizes(0).size).zip(sizes(0)) { (before, after), size -> before + size + after })
}

internal fun Node.padMirrored() {
    val mode = options?.byte(0) ?: 0 // REFLECT omits the border, SYMMETRIC repeats it
    intact(mode in 0..1)
    val padded = pairs(1, sizes(0).size).zip(sizes(0)) { (before, after), size ->
        val maxPadding = if (mode == 0) size - 1 else size
        intact(before <= maxPadding && after <= maxPadding)
        before + size + after
    }
    expect(padded)
}

internal fun Node.tile() {
    val times = integers(1)
    intact(times.size == sizes(0).size && times.all { it in 1..MAX_OPTION })
    expect(times.zip(sizes(0)) { count, size -> count * size })
}

internal fun Node.spaceToDepth() {
    val (batch, height, width, channels) = sizes4d(0)
    val block = option(0)
    intact(height % block == 0L && width % block == 0L)
    expect(listOf(batch, height / block, width / block, channels * block * block))
}

internal fun Node.depthToSpace() {
    val (batch, height, width, channels) = sizes4d(0)
    val block = option(0)
    intact(channels % (block * block) == 0L)
    expect(listOf(batch, height * block, width * block, channels / (block * block)))
}

internal fun Node.spaceToBatch() {
    val blocks = blocks()
    val padded = pairs(2, blocks.size).mapIndexed { axis, (before, after) ->
        before + sizes(0)[axis + 1] + after
    }
    intact(padded.zip(blocks).all { (size, block) -> size % block == 0L })
    val spatial = padded.zip(blocks) { size, block -> size / block }
    expect(listOf(sizes(0)[0] * blocks.product()) + spatial + sizes(0).last())
}

internal fun Node.batchToSpace() {
    val blocks = blocks()
    intact(sizes(0)[0] % blocks.product() == 0L)
    val spatial = pairs(2, blocks.size).mapIndexed { axis, (before, after) ->
        sizes(0)[axis + 1] * blocks[axis] - before - after
    }
    intact(spatial.all { it >= 1 })
    expect(listOf(sizes(0)[0] / blocks.product()) + spatial + sizes(0).last())
}

private fun Node.blocks(): List<Long> {
    val blocks = integers(1)
    intact(sizes(0).size in 3..4 && blocks.size == sizes(0).size - 2)
    intact(blocks.all { it in 1..MAX_OPTION })
    return blocks
}

internal fun Node.slice() {
    val (first, counts) = listOf(integers(1), integers(2))
    intact(first.size == sizes(0).size && counts.size == sizes(0).size)
    val sliced = sizes(0).mapIndexed { axis, size ->
        val count = if (counts[axis] == -1L) size - first[axis] else counts[axis]
        intact(first[axis] in 0..size && count in 0..size - first[axis])
        count
    }
    expect(sliced)
}

/** Checks a slice as in NumPy; masks select default limits and removed or inserted axes. */
internal fun Node.sliceStrided() {
    val (begin, end, strides) = List(3) { integers(it + 1) }
    val masks = List(5) { options?.int(it) ?: 0 }
    val (beginMask, endMask, ellipsisMask, newAxisMask, shrinkMask) = masks
    intact(begin.size == end.size && begin.size == strides.size && strides.none { it == 0L })
    if (ellipsisMask != 0 || newAxisMask != 0) {
        return intact(outputs[0].elements <= tensor(0).elements)
    }
    intact(begin.size <= sizes(0).size)
    val sliced = sizes(0).mapIndexedNotNull { axis, size ->
        if (axis >= begin.size) return@mapIndexedNotNull size
        val bit = 1 shl axis
        val first = if (begin[axis] < 0) begin[axis] + size else begin[axis]
        if (shrinkMask and bit != 0) {
            intact(first in 0 until size)
            return@mapIndexedNotNull null
        }
        val step = strides[axis]
        val last = if (end[axis] < 0) end[axis] + size else end[axis]
        val (lowest, highest) = if (step > 0) 0L to size else -1L to size - 1
        val from = if (beginMask and bit == 0) first.coerceIn(lowest, highest) else null
        val to = if (endMask and bit == 0) last.coerceIn(lowest, highest) else null
        val start = from ?: if (step > 0) lowest else highest
        val stop = to ?: if (step > 0) highest else lowest
        maxOf(0L, ceilDivide(stop - start, step))
    }
    expect(sliced)
}

private const val MAX_OPTION = 65536L
private const val MAX_MATRIX_RANK = 5

private fun Node.intact(holds: Boolean) =
    requireIntact(holds) { "the shapes of $operation do not match" }

private fun Node.expect(expected: List<Long>, output: Int = 0) =
    intact(outputs[output].shape.map { it.toLong() } == expected)

private fun Node.tensor(position: Int): Tensor {
    intact(position in inputs.indices)
    return inputs[position] ?: damaged("$operation lacks a tensor")
}

private fun Node.sizes(position: Int): List<Long> = tensor(position).shape.map { it.toLong() }

/** Returns the four sizes of an image or of filters, which must be positive. */
private fun Node.sizes4d(position: Int): List<Long> {
    val sizes = sizes(position)
    intact(sizes.size == 4 && sizes.all { it >= 1 })
    return sizes
}

/** Returns the values of an input that must be an integer constant. */
private fun Node.integers(position: Int): List<Long> {
    val values = tensor(position).integers()
        ?: refuse("computes the shape of $operation at run time; export it with static shapes.")
    return values.toList()
}

/** Returns an option that is a size. */
private fun Node.option(slot: Int, default: Int = 0, min: Int = 1): Long {
    val value = options?.int(slot, default) ?: default
    requireIntact(value in min..MAX_OPTION.toInt()) { "$operation has an invalid option" }
    return value.toLong()
}

private fun Node.checkBias(position: Int, filters: Long) {
    val bias = inputs.getOrNull(position) ?: return
    intact(bias.elements == filters)
}

/** Returns the number of window positions with the padding VALID or SAME. */
private fun Node.window(length: Long, window: Long, stride: Long, dilation: Long): Long {
    val covered = (window - 1) * dilation + 1
    val count = when (options?.byte(0)) {
        null, SAME -> ceilDivide(length, stride)
        VALID -> ceilDivide(length - covered + 1, stride)
        else -> damaged("$operation has an invalid option")
    }
    intact(count >= 1)
    return count
}

private const val SAME = 0
private const val VALID = 1

private fun Node.axis(axis: Number, rank: Int): Int {
    val index = axis.toLong()
    intact(index in -rank until rank)
    return (if (index < 0) index + rank else index).toInt()
}

/** Returns the paddings before and after each of [count] axes. */
private fun Node.pairs(position: Int, count: Int): List<Pair<Long, Long>> {
    val amounts = integers(position)
    intact(amounts.size == 2 * count && amounts.all { it in 0..MAX_OPTION })
    return amounts.chunked(2) { (before, after) -> before to after }
}

private fun Node.broadcast(left: List<Long>, right: List<Long>): List<Long> {
    val rank = maxOf(left.size, right.size)
    val (padded, other) = listOf(left, right).map { List(rank - it.size) { 1L } + it }
    return padded.zip(other) { a, b ->
        intact(a == b || a == 1L || b == 1L)
        if (a == 1L) b else a
    }
}

private fun matrix(sizes: List<Long>, transposed: Boolean): Pair<Long, Long> {
    val (rows, columns) = sizes.takeLast(2)
    return if (transposed) columns to rows else rows to columns
}

private fun List<Long>.with(axis: Int, size: Long): List<Long> =
    mapIndexed { index, old -> if (index == axis) size else old }

private fun List<Long>.product(): Long = fold(1L) { product, size -> product * size }

private fun ceilDivide(dividend: Long, divisor: Long): Long = -Math.floorDiv(-dividend, divisor)
