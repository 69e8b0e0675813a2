package org.cnnkeras.demo.model

import com.grack.nanojson.JsonObject
import com.grack.nanojson.JsonParser
import java.io.File
import java.nio.ByteBuffer

/** The files in `tests/fixtures/models`, written by `tests.fixtures.android.write_models`. */
object ModelFixtures {
    private val folder = File("../../tests/fixtures/models")

    /** The properties of each file that the app can run, as Python reads them. */
    val expected: JsonObject =
        JsonParser.`object`().from(folder.resolve("expected.json").readText())

    fun bytes(name: String): ByteArray = folder.resolve("$name.tflite").readBytes()

    fun read(name: String): ModelFile =
        ModelReader.read(ByteBuffer.wrap(bytes(name)), "$name.tflite")
}
