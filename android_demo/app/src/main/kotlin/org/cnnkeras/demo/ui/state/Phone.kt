package org.cnnkeras.demo.ui.state

import org.cnnkeras.demo.benchmark.Device
import org.cnnkeras.demo.benchmark.DeviceState

/** What a benchmark tells of where it was made. */
interface Phone {
    /** Versions of the app and what it runs on. */
    val versions: Map<String, String>

    fun device(): Device

    fun state(): DeviceState
}
