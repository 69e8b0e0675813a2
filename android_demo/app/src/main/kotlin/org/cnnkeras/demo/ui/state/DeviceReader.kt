package org.cnnkeras.demo.ui.state

import org.cnnkeras.demo.benchmark.Device
import org.cnnkeras.demo.benchmark.DeviceState

/** Reads the facts about the phone that a benchmark row contains. */
interface DeviceReader {
    /** Versions of the app and of Android. */
    val versions: Map<String, String>

    /** Returns the hardware and the operating system. */
    fun device(): Device

    /** Returns the current battery and thermal state. */
    fun state(): DeviceState
}
