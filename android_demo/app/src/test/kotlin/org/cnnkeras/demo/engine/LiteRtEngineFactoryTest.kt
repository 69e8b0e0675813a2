package org.cnnkeras.demo.engine

import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** The phone's own runtime, which has no library for the machine that tests. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
class LiteRtEngineFactoryTest {
    @Test
    fun aPhoneWithoutALibraryForItsProcessorGetsOneSentence() {
        repeat(2) { // The second time Java reports another error than the first.
            val failure = assertThrows(EngineException::class.java) {
                LiteRtEngineFactory().open(ByteBuffer.allocateDirect(8), numThreads = 1)
            }
            assertEquals(
                "This app has no LiteRT that runs on this phone's processor (armeabi-v7a).",
                failure.message,
            )
        }
    }
}
