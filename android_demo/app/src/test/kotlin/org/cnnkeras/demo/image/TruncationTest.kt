package org.cnnkeras.demo.image

import org.cnnkeras.demo.Fixtures
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class TruncationTest {
    @Test
    fun completeImagesAreNotTruncated() {
        for (file in Fixtures.images) assertFalse(file.name, isTruncated(file.readBytes()))
    }

    @Test
    fun imagesWithoutTheirEndAreTruncated() {
        for (file in Fixtures.images) {
            val bytes = file.readBytes()
            for (kept in listOf(bytes.size / 2, bytes.size * 9 / 10, bytes.size - 13)) {
                assertTrue("${file.name}, $kept bytes", isTruncated(bytes.copyOf(kept)))
            }
        }
    }

    /** Phones append a short video or a second image. */
    @Test
    fun dataBehindTheImageIsIgnored() {
        for (name in listOf("china_420.jpg", "flower_progressive.jpg", "china_odd.png")) {
            assertFalse(name, isTruncated(Fixtures.image(name) + ByteArray(1000) { it.toByte() }))
        }
    }

    @Test
    fun otherFilesAreNotTruncated() {
        for (text in listOf("", "not a picture", "RIFF", "GIF89a")) {
            assertFalse(text, isTruncated(text.toByteArray()))
        }
    }
}
