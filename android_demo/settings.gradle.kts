pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
    buildscript {
        repositories {
            google()
            mavenCentral()
            maven("https://storage.googleapis.com/r8-releases/raw")
        }
        dependencies {
            // Kotlin 2.4 needs R8 9.1.29 or later; version 8.13 of the Android plugin contains 8.13.
            // https://developer.android.com/build/kotlin-support
            classpath("com.android.tools:r8:9.5.28")
        }
    }
}

dependencyResolutionManagement {
    repositoriesMode = RepositoriesMode.FAIL_ON_PROJECT_REPOS
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "cnn-keras-demo"
include(":app")
