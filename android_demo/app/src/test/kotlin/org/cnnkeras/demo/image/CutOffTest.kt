package org.cnnkeras.demo.image

import org.cnnkeras.demo.Fixtures
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class CutOffTest {
    @Test
    fun wholePicturesPass() {
        for (file in Fixtures.images) assertFalse(file.name, isCutOff(file.readBytes()))
    }

    @Test
    fun picturesWithoutTheirEndDoNot() {
        for (file in Fixtures.images) {
            val bytes = file.readBytes()
            for (kept in listOf(bytes.size / 2, bytes.size * 9 / 10, bytes.size - 13)) {
                assertTrue("${file.name}, $kept bytes", isCutOff(bytes.copyOf(kept)))
            }
        }
    }

    /** Phones append a short film, or a second picture. */
    @Test
    fun whatStandsBehindAPictureDoesNotMatter() {
        for (name in listOf("china_420.jpg", "flower_progressive.jpg", "china_odd.png")) {
            assertFalse(name, isCutOff(Fixtures.image(name) + ByteArray(1000) { it.toByte() }))
        }
    }

    @Test
    fun otherFilesPass() {
        for (text in listOf("", "not a picture", "RIFF", "GIF89a")) {
            assertFalse(text, isCutOff(text.toByteArray()))
        }
    }
}
