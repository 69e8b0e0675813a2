package org.cnnkeras.demo.engine

import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

/** The runtime of the app has no native library for this machine. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
class LiteRtEngineFactoryTest {
    @Test
    fun missingNativeLibraryIsReportedInOneSentence() {
        repeat(2) { // The second attempt fails with another Java error.
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
