package org.cnnkeras.demo.image

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.doubles
import org.cnnkeras.demo.floats
import org.cnnkeras.demo.model.TensorSpec
import org.cnnkeras.demo.model.TensorType
import org.cnnkeras.demo.objects
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class TensorCodecTest {
    private val cases = Fixtures.array("quantization.json").objects()

    @Test
    fun quantizedValuesEqualPython() {
        for (case in cases) {
            val spec = spec(case)
            val buffer = bufferOf(spec)
            TensorCodec(spec).write(case.getJSONArray("values").floats(), buffer)
            val expected = case.getJSONArray("integers").doubles().map { it.toInt().toByte() }
            assertEquals(expected, List(spec.elements, buffer::get))
        }
    }

    @Test
    fun dequantizedValuesEqualPython() {
        for (case in cases) {
            val spec = spec(case)
            val buffer = bufferOf(spec)
            for ((index, value) in case.getJSONArray("integers").doubles().withIndex()) {
                buffer.put(index, value.toInt().toByte())
            }
            val expected = case.getJSONArray("dequantized").floats()
            assertArrayEquals(expected, TensorCodec(spec).read(buffer), 0f)
        }
    }

    @Test
    fun floatsAreNotChanged() {
        val spec = TensorSpec("", TensorType.FLOAT32, listOf(1, 3))
        val values = floatArrayOf(-1.5f, 0.1f, 1e30f)
        val buffer = bufferOf(spec)
        TensorCodec(spec).write(values, buffer)
        assertEquals(0, buffer.position())
        assertArrayEquals(values, TensorCodec(spec).read(buffer), 0f)
    }

    private fun spec(case: JSONObject) = TensorSpec(
        "",
        TensorType.entries.single { it.title == case.getString("dtype") },
        listOf(case.getJSONArray("values").length()),
        case.getDouble("scale").toFloat(),
        case.getInt("zero_point"),
    )

    private fun bufferOf(spec: TensorSpec): ByteBuffer =
        ByteBuffer.allocateDirect(spec.bytes).order(ByteOrder.nativeOrder())
}
