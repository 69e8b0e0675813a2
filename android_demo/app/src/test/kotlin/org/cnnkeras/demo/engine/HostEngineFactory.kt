package org.cnnkeras.demo.engine

import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.NativeLong
import com.sun.jna.Pointer
import com.sun.jna.ptr.NativeLongByReference
import com.sun.jna.ptr.PointerByReference
import java.nio.ByteBuffer

/**
 * Runs models on this machine with the LiteRT library of the Python package.
 *
 * The app uses [LiteRtEngineFactory] instead. The library does not validate a model, and a damaged
 * one can crash the process, so validate files before.
 */
class HostEngineFactory(
    private val library: LiteRtLibrary = LiteRtLibrary.instance,
) : EngineFactory {
    override val runtime = InferenceRuntime("LiteRT", "2.3.0")

    override fun open(model: ByteBuffer, numThreads: Int): Engine {
        require(model.isDirect) { "The model must be in a direct buffer." }
        require(numThreads > 0) { "The number of threads must be positive, not $numThreads." }
        val owned = NativeObjects()
        try {
            return HostEngine(library, model, numThreads, owned)
        } catch (failure: EngineException) {
            owned.close()
            throw failure
        }
    }
}

/** Native objects, which are destroyed in reverse order of their creation. */
private class NativeObjects : AutoCloseable {
    private val destructors = ArrayDeque<() -> Unit>()

    fun add(pointer: Pointer, destroy: (Pointer) -> Unit): Pointer {
        destructors.addFirst { destroy(pointer) }
        return pointer
    }

    override fun close() {
        destructors.forEach { it() }
        destructors.clear()
    }
}

/** A tensor buffer of the runtime. */
private class TensorBuffer(
    private val library: LiteRtLibrary,
    private val pointer: Pointer,
    private val title: String,
) {
    private val size = NativeLongByReference()
        .also { check(library.LiteRtGetTensorBufferPackedSize(pointer, it)) }
        .value.toInt()

    /** A native array that contains only this buffer. */
    val asArray = Memory(Native.POINTER_SIZE.toLong()).apply { setPointer(0, pointer) }

    fun expectSizeOf(buffer: ByteBuffer) {
        if (buffer.capacity() != size) {
            throw EngineException(
                "The $title has $size bytes in the file, not ${buffer.capacity()}.",
            )
        }
    }

    fun write(from: ByteBuffer) = locked(LiteRtLibrary.WRITE) { memory ->
        memory.put(from.duplicate().rewind() as ByteBuffer)
    }

    fun read(into: ByteBuffer) = locked(LiteRtLibrary.READ) { memory ->
        (into.duplicate().rewind() as ByteBuffer).put(memory)
    }

    private fun locked(mode: Int, use: (ByteBuffer) -> Unit) {
        val address = get { library.LiteRtLockTensorBuffer(pointer, it, mode) }
        try {
            use(address.getByteBuffer(0, size.toLong()))
        } finally {
            check(library.LiteRtUnlockTensorBuffer(pointer))
        }
    }
}

private class HostEngine(
    private val library: LiteRtLibrary,
    /** The runtime reads it in place as long as the engine is open. */
    private val model: ByteBuffer,
    numThreads: Int,
    private val owned: NativeObjects,
) : Engine {
    private val compiledModel: Pointer
    private val inputBuffer: TensorBuffer
    private val outputBuffer: TensorBuffer
    private var isOpen = true

    init {
        val environment = make(library::LiteRtDestroyEnvironment) {
            library.LiteRtCreateEnvironment(2, environmentOptions(), it)
        }
        val nativeModel = make(library::LiteRtDestroyModel) {
            val size = NativeLong(model.capacity().toLong())
            val address = Native.getDirectBufferPointer(model)
            library.LiteRtCreateModelFromBuffer(environment, address, size, it)
        }
        val options = make(library::LiteRtDestroyOptions, library::LiteRtCreateOptions)
        check(library.LiteRtSetOptionsHardwareAccelerators(options, LiteRtLibrary.CPU))
        check(library.LiteRtAddOpaqueOptions(options, threadOptions(numThreads)))
        compiledModel = make(library::LiteRtDestroyCompiledModel) {
            library.LiteRtCreateCompiledModel(environment, nativeModel, options, it)
        }
        val signature = get { library.LiteRtGetModelSignature(nativeModel, FIRST, it) }
        inputBuffer = tensorBuffer(
            "input",
            environment,
            get { library.LiteRtGetSignatureInputTensorByIndex(signature, FIRST, it) },
            library::LiteRtGetCompiledModelInputBufferRequirements,
        )
        outputBuffer = tensorBuffer(
            "output",
            environment,
            get { library.LiteRtGetSignatureOutputTensorByIndex(signature, FIRST, it) },
            library::LiteRtGetCompiledModelOutputBufferRequirements,
        )
    }

    override fun run(input: ByteBuffer, output: ByteBuffer): EngineTimes {
        check(isOpen) { "The engine is closed." }
        inputBuffer.expectSizeOf(input)
        outputBuffer.expectSizeOf(output)
        val start = System.nanoTime()
        inputBuffer.write(input)
        val copiedIn = System.nanoTime()
        check(
            library.LiteRtRunCompiledModel(
                compiledModel, FIRST, ONE, inputBuffer.asArray, ONE, outputBuffer.asArray,
            ),
        )
        val invoked = System.nanoTime()
        outputBuffer.read(output)
        val copiedOut = System.nanoTime()
        return EngineTimes(copiedIn - start, invoked - copiedIn, copiedOut - invoked)
    }

    override fun close() {
        isOpen = false
        owned.close()
    }

    /** Creates options in native memory, which the library frees. */
    private fun threadOptions(numThreads: Int): Pointer {
        val toml = "num_threads = $numThreads\n"
        val payload = Pointer(Native.malloc(toml.length + 1L))
        payload.setString(0, toml, "US-ASCII")
        val free = NativeLibrary.getInstance("c").getFunction("free")
        return get {
            library.LiteRtCreateOpaqueOptions(LiteRtLibrary.CPU_OPTIONS, payload, free, it)
        }
    }

    private fun tensorBuffer(
        title: String,
        environment: Pointer,
        tensor: Pointer,
        requirements: (Pointer, NativeLong, NativeLong, PointerByReference) -> Int,
    ): TensorBuffer {
        val type = Memory(LiteRtLibrary.RANKED_TENSOR_TYPE_BYTES).apply { clear() }
        check(library.LiteRtGetRankedTensorType(tensor, type))
        val required = get { requirements(compiledModel, FIRST, FIRST, it) }
        val pointer = make(library::LiteRtDestroyTensorBuffer) {
            library.LiteRtCreateManagedTensorBufferFromRequirements(environment, type, required, it)
        }
        return TensorBuffer(library, pointer, title)
    }

    private fun make(destroy: (Pointer) -> Unit, create: (PointerByReference) -> Int): Pointer =
        owned.add(get(create), destroy)

    private companion object {
        val FIRST = NativeLong(0)
        val ONE = NativeLong(1)

        /** `LiteRtEnvOption[2]`: a tag, a type and a value, of eight bytes each. */
        fun environmentOptions() = Memory(2 * ENV_OPTION_BYTES).apply {
            val options = listOf(
                LiteRtLibrary.ACCELERATORS to LiteRtLibrary.CPU,
                LiteRtLibrary.LOG_FROM to LiteRtLibrary.ERROR,
            )
            options.forEachIndexed { index, (tag, value) ->
                val start = index * ENV_OPTION_BYTES
                setInt(start, tag)
                setInt(start + 8, LiteRtLibrary.INTEGER)
                setLong(start + 16, value.toLong())
            }
        }

        const val ENV_OPTION_BYTES = 24L
    }
}

private fun get(call: (PointerByReference) -> Int): Pointer {
    val result = PointerByReference()
    check(call(result))
    return result.value
}

private fun check(status: Int) {
    if (status != 0) throw EngineException("LiteRT cannot run this model (status $status).")
}
