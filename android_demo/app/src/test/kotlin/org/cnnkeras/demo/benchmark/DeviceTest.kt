package org.cnnkeras.demo.benchmark

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class DeviceTest {
    @Test
    fun instructionSetsHaveTheNamesOfTheCommand() {
        val phone = "processor\t: 0\nFeatures\t: fp asimd aes asimddp i8mm\nCPU part\t: 0xd41\n"
        assertEquals(listOf("NEON", "dotprod", "i8mm"), instructions(phone))
        assertEquals(listOf("FMA", "AVX2"), instructions("flags\t\t: fpu avx2 fma"))
        assertEquals(emptyList<String>(), instructions(""))
    }

    @Test
    fun memoryIsParsedFromTheProcessStatus() {
        val status = "Name:\tapp\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n"
        assertEquals(ProcessMemory(residentMb = 10.0, peakMb = 20.0), ProcessMemory.parse(status))
        assertNull(ProcessMemory.parse("Name:\tapp\n"))
    }

    @Test
    fun memoryOfThisProcessIsKnown() {
        val memory = ProcessMemory.now()!!
        assertTrue(memory.residentMb > 1 && memory.residentMb <= memory.peakMb)
    }
}
