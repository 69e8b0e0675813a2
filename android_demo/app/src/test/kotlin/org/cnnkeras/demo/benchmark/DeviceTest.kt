package org.cnnkeras.demo.benchmark

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class DeviceTest {
    @Test
    fun instructionsAreNamedAsTheCommandNamesThem() {
        val phone = "processor\t: 0\nFeatures\t: fp asimd aes asimddp i8mm\nCPU part\t: 0xd41\n"
        assertEquals(listOf("NEON", "dotprod", "i8mm"), instructions(phone))
        assertEquals(listOf("FMA", "AVX2"), instructions("flags\t\t: fpu avx2 fma"))
        assertEquals(emptyList<String>(), instructions(""))
    }

    @Test
    fun memoryIsReadFromTheKernelsText() {
        val status = "Name:\tapp\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n"
        assertEquals(Memory(residentMb = 10.0, peakMb = 20.0), Memory.parse(status))
        assertNull(Memory.parse("Name:\tapp\n"))
    }

    @Test
    fun thisProcessHasMemory() {
        val memory = Memory.now()!!
        assertTrue(memory.residentMb > 1 && memory.residentMb <= memory.peakMb)
    }
}
