package org.cnnkeras.demo.benchmark

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.ModelFacts
import org.cnnkeras.demo.model.TensorSpec
import org.cnnkeras.demo.model.TensorType
import org.cnnkeras.demo.objects
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** The app accepts and refuses the same outputs as `cnn-keras benchmark`. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
class DigestTest {
    private val cases = Fixtures.array("digests.json").objects()

    @Test
    fun digestsEqualThoseOfPython() {
        for (case in cases) {
            val name = case.getString("name")
            val digest = digest(case)
            val expected = case.optJSONObject("digest")
            if (expected == null) {
                assertNull("$name is accepted", digest)
                continue
            }
            requireNotNull(digest) { "$name is refused" }
            assertEquals(name, expected.getInt("images"), digest.images)
            assertEquals(name, expected.getString("sha256"), digest.sha256)
            assertEquals(name, expected.getString("rule"), digest.rule.title)
            assertEquals(name, expected.getBoolean("equal"), digest.equal)
            assertEquals(name, expected.getDouble("max_difference"), digest.maxDifference, 1e-12)
            assertEquals(name, expected.getDouble("agreement"), digest.agreement, 0.0)
            assertEquals(name, expected.getInt("distinct_outputs"), digest.distinctOutputs)
        }
    }

    @Test
    fun fixturesHaveBothVerdictsForEachRule() {
        val verdicts = cases.map { it.getString("rule") to it.isNull("digest") }.toSet()
        assertEquals(2 * DigestRule.entries.size, verdicts.size)
    }

    @Test
    fun missingOutputsAreRefused() {
        val case = cases.first()
        val failure = assertThrows(DigestException::class.java) {
            reference(case).compare(ByteArray(1))
        }
        assertTrue(failure.message!!, "1 bytes" in failure.message!!)
    }

    private fun digest(case: JSONObject): Digest? = try {
        reference(case).compare(bytes(case, "found"))
    } catch (refused: DigestException) {
        assertTrue(refused.message!!, refused.message!!.endsWith("."))
        null
    }

    private fun reference(case: JSONObject) = DigestReference(
        bytes(case, "expected"),
        spec(case),
        DigestRule.entries.single { it.title == case.getString("rule") },
        case.getDouble("step"),
    )

    private fun spec(case: JSONObject): TensorSpec = ModelFacts.spec(case.getJSONObject("output"))

    /** Returns the raw outputs as a file contains them. */
    private fun bytes(case: JSONObject, key: String): ByteArray {
        val rows = case.getJSONArray(key)
        val values = List(rows.length(), rows::getJSONArray).flatMap(::numbers)
        val type = spec(case).type
        val buffer = ByteBuffer.allocate(values.size * type.bytes).order(ByteOrder.LITTLE_ENDIAN)
        for (value in values) {
            if (type == TensorType.FLOAT32) buffer.putFloat(value.toFloat())
            else buffer.put(value.toInt().toByte())
        }
        return buffer.array()
    }

    /** JSON has no NaN, for which the fixture has null. */
    private fun numbers(row: JSONArray): List<Double> =
        List(row.length()) { if (row.isNull(it)) Double.NaN else row.getDouble(it) }
}
