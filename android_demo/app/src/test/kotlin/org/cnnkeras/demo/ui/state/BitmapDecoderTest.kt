package org.cnnkeras.demo.ui.state

import java.nio.ByteBuffer
import java.util.zip.CRC32
import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.image.Orientation
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class BitmapDecoderTest {
    private val decoder = BitmapDecoder()

    @Test
    fun orientationIsRead() {
        for (value in 1..8) {
            val decoded = decoder.decode(Fixtures.image("orientation_$value.jpg"))
            assertEquals(Orientation.ofExif(value), decoded.orientation)
        }
        val inPng = decoder.decode(Fixtures.image("fashion_turned.png"))
        assertEquals(Orientation.COUNTERCLOCKWISE, inPng.orientation)
    }

    @Test
    fun nonImageIsReported() {
        assertTrue(message(ByteArray(0)).contains("not an image"))
        assertTrue(message("not a picture".toByteArray()).contains("not an image"))
    }

    @Test
    fun truncatedImageIsReported() {
        for (name in listOf("china_420.jpg", "china_odd.png", "flower_lossy.webp")) {
            val bytes = Fixtures.image(name)
            assertTrue(name, message(bytes.copyOf(bytes.size / 2)).contains("truncated"))
        }
    }

    @Test
    fun damagedImageIsReported() {
        val bytes = Fixtures.image("china_odd.png")
        bytes.fill(0x55, 60, 200)
        message(bytes)
    }

    @Test
    fun hugeImageIsRefusedBeforeDecoding() {
        val bytes = Fixtures.image("china_odd.png")
        ByteBuffer.wrap(bytes).putInt(16, 60_000).putInt(20, 60_000)
        val checksum = CRC32().apply { update(bytes, 12, 17) }.value.toInt()
        ByteBuffer.wrap(bytes).putInt(29, checksum)
        assertTrue(message(bytes).contains("too large: 60000 × 60000"))
    }

    /** Returns the message, which must be one sentence on one line. */
    private fun message(bytes: ByteArray): String {
        val error = assertThrows(ImageException::class.java) { decoder.decode(bytes) }
        val message = error.message!!
        assertTrue(message, message.endsWith("."))
        assertFalse(message, message.contains('\n'))
        return message
    }
}
